package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// twoReplicas returns two stores with separate caches on one database.
func twoReplicas(t *testing.T) (here, there *storetest.Fixture) {
	t.Helper()
	url := migrated(t)
	return storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url})),
		storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
}

// decided runs a batch on one saga. It returns how often decide was called and the last revision that it got.
func decided(t *testing.T, w *storetest.Fixture, id string, causes ...saga.Cause) (times int, revision int64) {
	t.Helper()
	err := w.Transact(t.Context(), record.Batch{SagaIDs: []string{id}}, func(l record.Loaded) (record.Changes, error) {
		times++
		revision = l.Instances[id].Revision
		if len(causes) == 0 {
			return record.Changes{}, nil
		}
		return w.Decide(l, id, causes...)
	})
	require.NoError(t, err)
	return times, revision
}

func TestSagasThatThisReplicaCommittedAreNotReadAgain(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	id := w.Start(saga.Start{}).ID
	conn := connect(t, url)
	tx, err := conn.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `select from sagas where id = $1 for update`, id) // a read with a lock would wait
	require.NoError(t, err)
	asked := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		err := w.Transact(t.Context(), record.Batch{SagaIDs: []string{id}}, func(l record.Loaded) (record.Changes, error) {
			close(asked)
			return w.Decide(l, id, storetest.Succeed(id, "reserve", `{"r":1}`))
		})
		assert.NoError(t, err)
	})
	<-asked
	require.NoError(t, tx.Commit(t.Context()))
	group.Wait()
	assert.JSONEq(t, `{"r":1}`, string(w.Get(id).Data))
}

func TestASagaThatAnotherReplicaChangedIsReadAgain(t *testing.T) {
	t.Parallel()
	here, there := twoReplicas(t)
	id := here.Start(saga.Start{}).ID
	there.Apply(id, storetest.Succeed(id, "reserve", `{}`))
	times, revision := decided(t, here, id, storetest.Do(saga.ActionPause))
	assert.Equal(t, 2, times, "once on the cached revision and once on the stored one")
	assert.Equal(t, int64(2), revision)
	assert.Equal(t, int64(3), here.Get(id).Revision)
}

func TestADecisionToChangeNothingIsBasedOnTheStoredRevision(t *testing.T) {
	t.Parallel()
	here, there := twoReplicas(t)
	id := here.Start(saga.Start{}).ID
	there.Apply(id, storetest.Succeed(id, "reserve", `{}`))
	_, revision := decided(t, here, id)
	assert.Equal(t, int64(2), revision)
}

func TestAStartUnderAKeyThatAnotherReplicaTookFindsItsSaga(t *testing.T) {
	t.Parallel()
	here, there := twoReplicas(t)
	first := storetest.NewID()
	_, err := there.TryStart(there.Claim(first, "k", "order-1"), saga.Start{})
	require.NoError(t, err)
	here.Start(saga.Start{}) // so that the clock is known
	outcome, err := here.TryStart(here.Claim(storetest.NewID(), "k", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartExists, outcome.Kind)
	outcome, err = here.TryStart(here.Claim(storetest.NewID(), "other", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartOutcome{Kind: record.StartKeyInUse, Existing: first}, outcome)
}

func TestAStartByAnOutdatedLatestVersionIsReported(t *testing.T) {
	t.Parallel()
	here, there := twoReplicas(t)
	here.Start(saga.Start{})
	newer, _, err := there.PutDefinition(t.Context(),
		storetest.Definition(t, "order", `{"steps": [{"name": "a", "command": "a.do"}]}`))
	require.NoError(t, err)
	claim := here.Claim(storetest.NewID(), "", "")
	claim.Latest = true
	var told map[string]int
	err = here.Transact(t.Context(), record.Batch{Starts: []record.StartClaim{claim}},
		func(l record.Loaded) (record.Changes, error) {
			told = l.Newer
			return record.Changes{}, nil
		})
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"order": newer.Version}, told)
}

// A replica that gets the replies of all sagas reads those that another one has started, and decides the batch without locks.
func TestAFewSagasOfAnotherReplicaAreReadWithoutLocks(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	here := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	there := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	ids := []string{here.Start(saga.Start{}).ID, here.Start(saga.Start{}).ID, there.Start(saga.Start{}).ID}
	tx, err := connect(t, url).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `select from sagas for update`) // a read with a lock would find all of them busy
	require.NoError(t, err)
	asked := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		err := here.Transact(t.Context(), record.Batch{SagaIDs: ids}, func(l record.Loaded) (record.Changes, error) {
			assert.Len(t, l.Instances, 3)
			assert.Empty(t, l.Busy)
			close(asked)
			return here.Decide(l, ids[2], storetest.Succeed(ids[2], "reserve", `{"r":1}`))
		})
		assert.NoError(t, err)
	})
	<-asked
	require.NoError(t, tx.Commit(t.Context()))
	group.Wait()
	assert.JSONEq(t, `{"r":1}`, string(here.Get(ids[2]).Data))
}

// A large saga of another replica is loaded with the limits of a load.
func TestALargeSagaOfAnotherReplicaIsNotOverlooked(t *testing.T) {
	t.Parallel()
	here, there := twoReplicas(t)
	ids := []string{here.Start(saga.Start{}).ID, there.Start(saga.Start{}).ID}
	var large strings.Builder
	for i := range 20_000 { // compresses little
		fmt.Fprint(&large, i*i)
	}
	there.Apply(ids[1], storetest.Succeed(ids[1], "reserve", `{"large":"`+large.String()+`"}`))
	err := here.Transact(t.Context(), record.Batch{SagaIDs: ids}, func(l record.Loaded) (record.Changes, error) {
		assert.Len(t, l.Instances, 2)
		return record.Changes{}, nil
	})
	require.NoError(t, err)
}

// What was read without locks and has changed since is decided again.
func TestASagaThatChangesAfterItWasReadIsReadAgain(t *testing.T) {
	t.Parallel()
	here, there := twoReplicas(t)
	ids := []string{here.Start(saga.Start{}).ID, there.Start(saga.Start{}).ID}
	times := 0
	err := here.Transact(t.Context(), record.Batch{SagaIDs: ids}, func(l record.Loaded) (record.Changes, error) {
		if times++; times == 1 {
			there.Apply(ids[1], storetest.Succeed(ids[1], "reserve", `{"by":"there"}`))
		}
		return here.Decide(l, ids[1], storetest.Do(saga.ActionPause))
	})
	require.NoError(t, err)
	assert.Equal(t, 2, times)
	assert.Equal(t, saga.Paused, here.Get(ids[1]).Status)
	assert.JSONEq(t, `{"by":"there"}`, string(here.Get(ids[1]).Data))
}

func TestReplicasThatAlternateStopUsingTheirCaches(t *testing.T) {
	t.Parallel()
	here, there := twoReplicas(t)
	decisions := 0
	const sagas = 40
	for range sagas {
		id := here.Start(saga.Start{}).ID
		there.Apply(id, storetest.Succeed(id, "reserve", `{}`))
		times, _ := decided(t, here, id, storetest.Do(saga.ActionPause))
		decisions += times
	}
	assert.Less(t, decisions, sagas+sagas/4, "most skipped the cache")
}

func TestARowChangedByHandIsNotOverwritten(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	id := w.Start(saga.Start{}).ID
	_, err := connect(t, url).Exec(t.Context(), `update sagas set revision = revision + 1, data = '{"by":"hand"}' where id = $1`, id)
	require.NoError(t, err)
	w.Apply(id, storetest.Succeed(id, "reserve", `{"r":1}`))
	assert.JSONEq(t, `{"by":"hand","r":1}`, string(w.Get(id).Data))
}

func TestALockedSagaDoesNotBlockTheOthers(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	first := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	locked, free := first.Start(saga.Start{}).ID, first.Start(saga.Start{}).ID
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url})) // with an empty cache
	tx, err := connect(t, url).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `select from sagas where id = $1 for update`, locked)
	require.NoError(t, err)
	both := record.Batch{SagaIDs: []string{locked, free, storetest.NewID()}}
	err = w.Transact(t.Context(), both, func(l record.Loaded) (record.Changes, error) {
		assert.Equal(t, map[string]bool{locked: true}, l.Busy, "a missing saga is not busy")
		assert.NotContains(t, l.Instances, locked)
		return w.Decide(l, free, storetest.Succeed(free, "reserve", `{}`))
	})
	require.NoError(t, err)
	assert.Equal(t, int64(2), w.Get(free).Revision)
	require.NoError(t, tx.Rollback(t.Context()))
	w.Apply(locked, storetest.Succeed(locked, "reserve", `{}`))
}

// An optimistic batch is an implicit transaction: a failed commit is an error and leaves nothing.
func TestACommitThatFailsIsAnErrorAndLeavesNothing(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	w := storetest.NewFixture(t, open(t, store.Config{DatabaseURL: url}))
	in := w.Start(saga.Start{})
	conn := connect(t, url)
	_, err := conn.Exec(t.Context(), `
		create function refuse() returns trigger language plpgsql as $$ begin raise 'not today'; end $$;
		create constraint trigger refuse after insert on saga_decisions deferrable initially deferred
			for each row execute function refuse()`)
	require.NoError(t, err)
	err = w.Transact(t.Context(), record.Batch{SagaIDs: []string{in.ID}}, func(l record.Loaded) (record.Changes, error) {
		return w.Decide(l, in.ID, storetest.Succeed(in.ID, "reserve", `{}`))
	})
	require.ErrorContains(t, err, "not today")
	assert.Equal(t, in, w.Get(in.ID))

	_, err = conn.Exec(t.Context(), `drop trigger refuse on saga_decisions`)
	require.NoError(t, err)
	assert.Equal(t, in.Revision+1, w.Apply(in.ID, storetest.Succeed(in.ID, "reserve", `{}`)).Revision, "the connection stays usable")
}
