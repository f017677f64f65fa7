package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// The row of an unreadable saga cannot say which action abandoned it, so the request knows that it may have been its own.
func TestAnAbandonWhoseCommitWasNotAnsweredIsNotRefused(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	e, ids := b.started(t, engine.Config{}, payment(), 1)
	b.with(func() { b.unreadable[ids[0]], b.answersLost = true, 1 })
	in, err := e.Act(t.Context(), ids[0], saga.Action{ID: "a", Name: saga.ActionAbandon, Reason: "cannot be read"})
	require.NoError(t, err)
	require.Equal(t, saga.Abandoned, in.Status)
	require.Zero(t, b.answersLost)
	_, err = e.Act(t.Context(), ids[0], saga.Action{ID: "b", Name: saga.ActionAbandon, Reason: "cannot be read"})
	require.ErrorContains(t, err, "does not apply to a saga that is abandoned")
}
