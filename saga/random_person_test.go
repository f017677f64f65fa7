package saga_test

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// personActs asks for any action, whether or not it applies, and now and then twice or for a state that is past.
func (h *randomHistory) personActs() {
	names := []saga.ActionName{
		saga.ActionRetry, saga.ActionSkip, saga.ActionCompensate, saga.ActionAbandon, saga.ActionAcknowledge,
		saga.ActionPause, saga.ActionResume, saga.ActionPatchData,
	}
	if allowed := h.plan.AllowedActions(&h.is); len(allowed) > 0 && rapid.IntRange(0, 3).Draw(h.t, "looks first") < 3 {
		names = allowed
	}
	action := saga.Action{Name: rapid.SampledFrom(names).Draw(h.t, "action")}
	if action.Name == saga.ActionAbandon && rapid.IntRange(0, 9).Draw(h.t, "really") < 9 {
		return // or few histories would see anything else
	}
	if rapid.Bool().Draw(h.t, "names a step") {
		action.Step = h.plan.Steps[rapid.IntRange(0, len(h.plan.Steps)-1).Draw(h.t, "step")].Name
	}
	if h.is.Attention != nil && h.is.Attention.Step != "" && rapid.Bool().Draw(h.t, "names that step") {
		action.Step = h.is.Attention.Step
	}
	switch rapid.IntRange(0, 9).Draw(h.t, "for which revision") {
	case 8:
		action.IfRevision = h.is.Revision
	case 9:
		action.IfRevision = h.is.Revision + 1
	}
	switch action.Name {
	case saga.ActionSkip:
		action.Output = json.RawMessage(`{"byHand":true}`)
	case saga.ActionPatchData:
		action.Patch = json.RawMessage(rapid.SampledFrom([]string{`{"orderId":null}`, `{"a":{"b":1}}`, `{}`}).Draw(h.t, "patch"))
	}
	decision := h.act(action)
	if decision.Changed && rapid.IntRange(0, 4).Draw(h.t, "twice") == 4 {
		action.ID = h.is.LastAction
		require.False(h.t, h.hear(action).Changed, "an action takes effect once")
	}
}

// act asks for an action and makes true what it claims: a person who says that something is done, or did not happen, has
// seen to it. That is all which the saga can build on.
func (h *randomHistory) act(action saga.Action) saga.Decision {
	h.actions++
	action.ID, action.Actor, action.Reason = fmt.Sprintf("a%d", h.actions), "operator", "because"
	before := h.is
	decision := h.hear(action)
	allowed := slices.Contains(h.plan.AllowedActions(&before), action.Name)
	require.True(h.t, allowed || decision.Refused != nil, "%s is not allowed, but taken\n%s", action.Name, h.told())
	if !decision.Changed {
		return decision
	}
	for i := range before.Steps {
		was, is := before.Steps[i].Status, decision.Next.Steps[i].Status
		name := before.Steps[i].Name
		switch {
		case action.Name == saga.ActionAcknowledge && before.Steps[i].LateEffect:
			h.worker.byHand(name, undoneNow)
		case was == is:
		case is == saga.StepSkipped && was == saga.StepCompensationFailed:
			h.worker.byHand(name, undoneNow)
		case is == saga.StepSkipped:
			h.worker.byHand(name, tookPlace)
		case action.Name == saga.ActionCompensate && was == saga.StepUnknown && is == saga.StepFailed:
			h.worker.byHand(name, forbidden)
		}
	}
	return decision
}

// bringToAnEnd lets everybody do their duty: the broker delivers, workers succeed, timers fire, and a person repairs what
// is stuck. It fails where that takes more events than a saga of this size can need.
func (h *randomHistory) bringToAnEnd() {
	most := 40 + 40*len(h.plan.Steps)
	for range most {
		switch {
		case h.is.Status.Terminal() && h.is.Attention == nil:
			return
		case h.is.Status.Terminal():
			h.dealWithLateEffect()
		case h.is.Status == saga.Paused:
			h.act(saga.Action{Name: saga.ActionResume})
		case h.is.Status == saga.Stuck:
			require.True(h.t, h.act(saga.Action{Name: saga.ActionRetry}).Changed, "a person can repair it\n%s", h.told())
		default:
			h.serveOrWait()
		}
	}
	require.FailNow(h.t, "the saga does not end", "after %d more events\n%s", most, h.told())
}

// dealWithLateEffect undoes what came after the end, by the saga where it can be and else by hand.
func (h *randomHistory) dealWithLateEffect() {
	for i := range h.is.Steps {
		if h.is.Steps[i].LateEffect && h.act(saga.Action{Name: saga.ActionCompensate, Step: h.is.Steps[i].Name}).Changed {
			return
		}
	}
	require.True(h.t, h.act(saga.Action{Name: saga.ActionAcknowledge}).Changed, h.told())
}

// serveOrWait answers a command that is out, or waits until one is sent. A command that is in the outbox is published.
func (h *randomHistory) serveOrWait() {
	if len(h.held) > 0 {
		h.commandIsPublished()
		clear(h.held)
		return
	}
	for _, id := range h.out() {
		reply := h.worker.handle(id, done(id))
		if h.hear(reply).Changed {
			return
		}
	}
	require.False(h.t, h.is.WakeAt.IsZero(), "nothing is out and nothing will wake it\n%s", h.told())
	if h.is.WakeAt.After(h.now) {
		h.now = h.is.WakeAt
	}
	h.wakes()
}

// settleEverything delivers what is still on its way, and lets a person deal with what comes of it.
func (h *randomHistory) settleEverything() {
	for _, id := range h.sent {
		h.answers = append(h.answers, h.worker.handle(id, done(id)))
	}
	for i := range h.answers {
		h.deliver(i)
	}
	h.bringToAnEnd()
}
