package saga_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/saga-orchestrator/orchestrator/saga"
)

const mostRandomEvents = 120

// anyHistory: whatever a saga is made of and whatever happens to it, each decision keeps the rules, the whole is explained
// by its history, it can be brought to an end, and there all is done or all is undone.
func anyHistory(t *rapid.T) {
	h := beginRandomHistory(t)
	ended := h.is.Status
	for range evenly(t, []int{0, 10, 40, mostRandomEvents}, "events") {
		before := h.is.Status
		h.happen()
		if h.is.Status.Terminal() && !before.Terminal() {
			ended = h.is.Status
			h.judgeEffects()
		}
	}
	h.judgeWhole()
	h.bringToAnEnd()
	h.judgeEffects()
	h.settleEverything()
	h.judgeLedger()
	h.judgeWhole()
	if ended.Terminal() {
		require.Equal(t, ended == saga.Completed, h.is.Status == saga.Completed, "an end stays: %s, then %s", ended, h.is.Status)
	}
}

func TestWhateverHappensEveryPromiseIsKept(t *testing.T) {
	t.Parallel()
	rapid.Check(t, anyHistory)
}

// FuzzHistories is the same property for a fuzzer, which looks for the histories that take new ways through the core.
func FuzzHistories(f *testing.F) { f.Fuzz(rapid.MakeFuzz(anyHistory)) }

// judgeEffects is judgeLedger at an end, with messages still on their way: what was sent before its compensation and is
// delivered after it can only be kept from its effect by a barrier.
func (h *randomHistory) judgeEffects() {
	if h.worker.barrier {
		h.judgeLedger()
	}
}

// judgeLedger holds an end against what took effect in the services: completed means all of it, compensated none. What
// has no compensation stays, and an abandoned saga was closed as it stood.
func (h *randomHistory) judgeLedger() {
	if !h.honest {
		return // with a worker that contradicts itself nobody knows what took effect
	}
	for i := range h.plan.Steps {
		there := h.worker.effects[h.plan.Steps[i].Name] == tookPlace
		switch {
		case h.is.Status == saga.Completed:
			require.True(h.t, there, "completed, but the effect of step %d is not there\n%s", i, h.told())
		case h.is.Status == saga.Compensated && needsUndo(h.plan, i):
			require.False(h.t, there, "compensated, but the effect of step %d is left\n%s", i, h.told())
		}
	}
}

// judgeWhole: the history is gapless and tells every step's state, and the same events lead to the same saga again, also
// by way of a store that keeps the progress as JSON.
func (h *randomHistory) judgeWhole() {
	for i, entry := range h.entries {
		require.EqualValues(h.t, i+1, entry.Seq, "the history is gapless")
		require.True(h.t, i == 0 || !entry.At.Before(h.entries[i-1].At), "and goes forward")
	}
	require.Equal(h.t, toldStatuses(h.plan, h.entries), statuses(h.is), h.told())
	again := h.started
	for _, event := range h.events {
		decision, err := h.plan.Transition(stored(h.t, again), event)
		require.NoError(h.t, err)
		again = decision.Next
	}
	require.Equal(h.t, h.is, again, "the same events lead to the same saga")
}

// stored is an instance as a store gives it back.
func stored(t *rapid.T, in saga.Instance) saga.Instance {
	text, err := json.Marshal(in.Progress)
	require.NoError(t, err)
	in.Progress = saga.Progress{}
	require.NoError(t, json.Unmarshal(text, &in.Progress))
	return in
}

func statuses(in saga.Instance) []saga.StepStatus {
	all := make([]saga.StepStatus, len(in.Steps))
	for i := range in.Steps {
		all[i] = in.Steps[i].Status
	}
	return all
}
