package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// overflowed is the dead letter of a command whose queue was full.
func overflowed(id string) wire.Message {
	return wire.Message{
		DiedIn: wire.DiedInCommands, MessageID: id, Body: []byte(`{"data":{}}`),
		Headers: map[string]any{"x-first-death-queue": "saga.commands.shop", "x-first-death-reason": "maxlen"},
	}
}

// A full queue that dead-letters what it refuses has taken nothing: the command waits in the outbox, which never fails a step
// (rule 3), however often it is refused.
func TestACommandThatAFullQueueRefusesIsNotLost(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	e, ids := b.started(t, engine.Config{}, payment(), 1)
	before, err := b.Saga(t.Context(), ids[0])
	require.NoError(t, err)
	for range 3 {
		settled := make(chan bool, 1)
		e.ReceiveDead(t.Context(), overflowed(ids[0]+"/reserve/execute/1"), func(ok bool) { settled <- ok })
		requireSettled(t, settled)
	}
	after, err := b.Saga(t.Context(), ids[0])
	require.NoError(t, err)
	require.Equal(t, before, after)
	require.Empty(t, letters(t, b.Store), "the outbox has the command")
}

// A queue that drops its oldest commands has confirmed them, but their rows are deleted a moment later.
func TestACommandThatAFullQueueDropsIsLost(t *testing.T) {
	t.Parallel()
	for name, deletedLate := range map[string]bool{"long after its confirmation": false, "a moment after it": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newFaultyStore(t, memory.Config{})
			confirmed := func(id string) error {
				command, err := saga.ParseCommandID(id)
				require.NoError(t, err)
				return b.Transact(t.Context(), record.Batch{Confirmed: []saga.CommandID{command}},
					func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil })
			}
			config := engine.Config{}
			var dropped string
			config.Pause = func(context.Context, time.Duration) bool { return confirmed(dropped) == nil }
			e, ids := b.started(t, config, payment(), 1)
			dropped = ids[0] + "/reserve/execute/1"
			if !deletedLate {
				require.NoError(t, confirmed(dropped))
			}
			settled := make(chan bool, 1)
			e.ReceiveDead(t.Context(), overflowed(dropped), func(ok bool) { settled <- ok })
			requireSettled(t, settled)
			after, err := b.Saga(t.Context(), ids[0])
			require.NoError(t, err)
			require.Equal(t, saga.StepRetrying, after.Steps[0].Status)
			require.Equal(t, []string{"command maxlen"}, letters(t, b.Store))
		})
	}
}

// A message that is still under consideration when the orchestrator stops comes again.
func TestADeadLetterUnderConsiderationIsRedeliveredAfterAStop(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	paused := make(chan struct{}, 1)
	config := engine.Config{}
	config.Pause = func(context.Context, time.Duration) bool { paused <- struct{}{}; return false } // the stop ends it
	e, ids := b.started(t, config, payment(), 1)
	settled := make(chan bool, 1)
	e.ReceiveDead(t.Context(), overflowed(ids[0]+"/reserve/execute/1"), func(ok bool) { settled <- ok })
	<-paused
	require.False(t, <-settled)
	require.Empty(t, letters(t, b.Store))
}
