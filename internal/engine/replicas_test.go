package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

func TestAWatchSeesTheChangesOfAnotherReplica(t *testing.T) {
	t.Parallel()
	store, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	here := run(t, engine.Config{Store: store, Outbox: nullOutbox{}})
	there := run(t, engine.Config{Store: store, Outbox: nullOutbox{}})
	_, _, err = here.RegisterDefinition(t.Context(), payment())
	require.NoError(t, err)

	in, _, err := here.Start(t.Context(), record.StartRequest{SagaID: "01JD0000000000000000000000", Definition: "payment"})
	require.NoError(t, err)
	changed, stop := here.Changed(in.ID, nil)
	defer stop()
	paused, err := there.Act(t.Context(), in.ID, saga.Action{ID: "1", Name: saga.ActionPause})
	require.NoError(t, err)
	for seen := range changed {
		if seen.Revision == paused.Revision {
			require.Equal(t, saga.Paused, seen.Status)
			break
		}
	}
}

// contendedStore reports a saga as locked by another replica, for the number of transactions in busy.
type contendedStore struct {
	*memory.Store
	saga string
	busy atomic.Int64
}

func (c *contendedStore) Transact(
	ctx context.Context, batch record.Batch, decide func(record.Loaded) (record.Changes, error),
) error {
	return c.Store.Transact(ctx, batch, func(loaded record.Loaded) (record.Changes, error) {
		if _, decodeStart := loaded.Instances[c.saga]; decodeStart && c.busy.Add(-1) >= 0 {
			delete(loaded.Instances, c.saga)
			loaded.Busy = map[string]bool{c.saga: true}
		}
		return decide(loaded)
	})
}

func TestASagaThatIsLockedByAnotherReplicaIsRetriedAndDelaysNoOther(t *testing.T) {
	t.Parallel()
	kept, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	store := &contendedStore{Store: kept, saga: "01JD0000000000000000000001"}
	e := run(t, engine.Config{Store: store, Outbox: nullOutbox{}, Lanes: 1})
	_, _, err = e.RegisterDefinition(t.Context(), payment())
	require.NoError(t, err)
	for _, id := range []string{store.saga, "01JD0000000000000000000002"} {
		_, _, err := e.Start(t.Context(), record.StartRequest{SagaID: id, Definition: "payment"})
		require.NoError(t, err)
	}

	store.busy.Store(1 << 30)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = e.Act(ctx, store.saga, saga.Action{ID: "1", Name: saga.ActionPause})
	require.ErrorIs(t, err, record.ErrUnavailable, "its caller waits and gives up")
	in, err := e.Act(t.Context(), "01JD0000000000000000000002", saga.Action{ID: "2", Name: saga.ActionPause})
	require.NoError(t, err)
	require.Equal(t, saga.Paused, in.Status)

	store.busy.Store(3)
	in, err = e.Act(t.Context(), store.saga, saga.Action{ID: "3", Name: saga.ActionPause})
	require.NoError(t, err)
	require.Equal(t, saga.Paused, in.Status)
}
