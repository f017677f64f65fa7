package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

func abandonedBy(t *testing.T, w *storetest.Fixture, id string) {
	t.Helper()
	w.Apply(id, storetest.Do(saga.ActionAbandon))
	require.NoError(t, w.Transact(t.Context(), record.Batch{Confirmed: []saga.CommandID{storetest.Execute(id, "reserve")}},
		func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil }))
}

func endedAny() record.Expiry {
	return record.Expiry{Definition: "order", Statuses: saga.Statuses(), Before: time.Now().Add(time.Hour)}
}

// A replica has a saga in its cache that another one has ended and deleted.
func TestALateReplyDoesNotBringADeletedSagaBack(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	here := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url, LeaseFor: storetest.LongLease}))
	there := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url, LeaseFor: storetest.LongLease}))
	id := here.Start(saga.Start{}).ID
	abandonedBy(t, there, id)
	sagas, _, err := there.DeleteSagas(t.Context(), record.Deletion{Expiry: endedAny(), IDs: []string{id}})
	require.NoError(t, err)
	require.Equal(t, 1, sagas)
	var found []bool // by each attempt to decide
	err = here.Transact(t.Context(), record.Batch{SagaIDs: []string{id}}, func(l record.Loaded) (record.Changes, error) {
		_, there := l.Instances[id]
		if found = append(found, there); !there {
			return record.Changes{}, nil
		}
		return here.Decide(l, id, storetest.Succeed(id, "reserve", `{}`))
	})
	require.NoError(t, err)
	assert.Equal(t, []bool{true, false}, found, "the cache has it, the table does not")
	_, err = here.Saga(t.Context(), id)
	require.ErrorIs(t, err, record.ErrSagaNotFound)
	_, _, err = here.History(t.Context(), id, record.Page{})
	require.ErrorIs(t, err, record.ErrSagaNotFound)
}

// A replica of the version before does not name the key in the saga's row.
func TestTheKeyOfASagaOfThePreviousVersionStays(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url, LeaseFor: storetest.LongLease}))
	claim := w.Claim(storetest.NewID(), "key", "")
	_, err := w.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	abandonedBy(t, w, claim.SagaID)
	damage{t, connect(t, url)}.exec(`update sagas set idempotency_key = null`)
	sagas, keys, err := w.DeleteSagas(t.Context(), record.Deletion{Expiry: endedAny(), IDs: []string{claim.SagaID}, KeepKeys: time.Nanosecond})
	require.NoError(t, err)
	assert.Equal(t, [2]int{1, 0}, [2]int{sagas, keys})
	outcome, err := w.TryStart(w.Claim(storetest.NewID(), "key", ""), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartGone, outcome.Kind)
}
