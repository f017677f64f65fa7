package engine_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// A replica that lacks the key of a saga's data gives the replies for it back, after a pause: others have the key.
func TestAReplyThatAnotherReplicaCanReadIsGivenBack(t *testing.T) {
	t.Parallel()
	b := newFaultyStore(t, memory.Config{})
	paused := make(chan time.Duration, 1)
	config := engine.Config{}
	config.Pause = func(_ context.Context, about time.Duration) bool { paused <- about; return true }
	_, ids := b.started(t, engine.Config{}, payment(), 1)
	b.with(func() { b.lacksKey, b.unreadable[ids[0]] = true, true })
	other, _ := b.started(t, config, payment(), 0)
	require.False(t, <-succeed(other, ids[0]), "the broker delivers it again")
	require.Positive(t, <-paused)
	require.Empty(t, letters(t, b.Store))

	b.with(func() { b.unreadable[ids[0]] = false })
	requireSettled(t, succeed(other, ids[0]))
	kept, err := b.Saga(t.Context(), ids[0])
	require.NoError(t, err)
	require.Equal(t, saga.StepSucceeded, kept.Steps[0].Status)
}
