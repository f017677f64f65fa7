package memory_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store/memory"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

func TestADeletionIsThereAfterACrash(t *testing.T) {
	t.Parallel()
	w, path := newFixture(t)
	stays := w.Start(saga.Start{}).ID
	claim := w.Claim(storetest.NewID(), "key", "")
	_, err := w.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	w.Complete(claim.SagaID)
	require.NoError(t, w.Transact(t.Context(), record.Batch{Confirmed: []saga.CommandID{
		storetest.Execute(claim.SagaID, "reserve"), storetest.Execute(claim.SagaID, "charge"), storetest.Execute(claim.SagaID, "confirm"),
	}}, nothing))
	sagas, keys, err := w.DeleteSagas(t.Context(), record.Deletion{IDs: []string{claim.SagaID, stays}, Expiry: record.Expiry{
		Definition: "order", Statuses: saga.Statuses(), Before: time.Now().Add(time.Hour),
	}})
	require.NoError(t, err)
	require.Equal(t, [2]int{1, 0}, [2]int{sagas, keys})

	again := storetest.NewFixture(t, open(t, memory.Config{File: killed(t, path), LeaseFor: storetest.LongLease}))
	_, err = again.Saga(t.Context(), claim.SagaID)
	require.ErrorIs(t, err, record.ErrSagaNotFound)
	_, _, err = again.History(t.Context(), claim.SagaID, record.Page{})
	require.ErrorIs(t, err, record.ErrSagaNotFound)
	assert.Equal(t, w.Get(stays), again.Get(stays))
	outcome, err := again.TryStart(w.Claim(storetest.NewID(), "key", ""), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartGone, outcome.Kind)
	deleted, err := again.ExpireKeys(t.Context(), time.Nanosecond, 10)
	require.NoError(t, err)
	assert.Equal(t, 1, deleted, "the file knows when the saga ended")
}
