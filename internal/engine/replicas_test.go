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

func TestWhoWatchesASagaSeesWhatAnotherReplicaDoes(t *testing.T) {
	t.Parallel()
	store, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	here := run(t, engine.Config{Store: store, Outbox: noOutbox{}})
	there := run(t, engine.Config{Store: store, Outbox: noOutbox{}})
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

// contended is a store in which another replica holds some sagas locked, for as many transactions as busy says.
type contended struct {
	*memory.Store
	saga string
	busy atomic.Int64
}

func (c *contended) Transact(
	ctx context.Context, batch record.Batch, decide func(record.Loaded) (record.Changes, error),
) error {
	return c.Store.Transact(ctx, batch, func(loaded record.Loaded) (record.Changes, error) {
		if _, asked := loaded.Instances[c.saga]; asked && c.busy.Add(-1) >= 0 {
			delete(loaded.Instances, c.saga)
			loaded.Busy = map[string]bool{c.saga: true}
		}
		return decide(loaded)
	})
}

func TestASagaThatAnotherReplicaHoldsIsAskedForAgainAndKeepsNobodyWaiting(t *testing.T) {
	t.Parallel()
	kept, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	store := &contended{Store: kept, saga: "01JD0000000000000000000001"}
	e := run(t, engine.Config{Store: store, Outbox: noOutbox{}, Lanes: 1})
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
	require.ErrorIs(t, err, record.ErrUnavailable, "its own caller waits, and gives up")
	in, err := e.Act(t.Context(), "01JD0000000000000000000002", saga.Action{ID: "2", Name: saga.ActionPause})
	require.NoError(t, err)
	require.Equal(t, saga.Paused, in.Status)

	store.busy.Store(3)
	in, err = e.Act(t.Context(), store.saga, saga.Action{ID: "3", Name: saga.ActionPause})
	require.NoError(t, err)
	require.Equal(t, saga.Paused, in.Status)
}
