package operate_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/operate"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	testenv "github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/memory"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// leaseless lets every replica delete at any time.
type leaseless struct{ storetest.Store }

func (leaseless) HoldLease(context.Context, string, string, time.Duration) (bool, error) {
	return true, nil
}

// Callers work on sagas of all kinds while two replicas delete whatever has ended. Only sagas that have ended and need no
// attention go, each is archived in its last state, and the counts are exact.
func TestRetentionAgainstAnAdversary(t *testing.T) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		kept, err := memory.Open(memory.Config{})
		require.NoError(t, err)
		adversary(t, kept, kept, 1500)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		url := testenv.Database(t)
		require.NoError(t, store.Migrate(t.Context(), url))
		var replicas [2]storetest.Store
		for i := range replicas {
			opened, err := store.Open(t.Context(), store.Config{DatabaseURL: url, LeaseFor: storetest.LongLease})
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, opened.Close()) })
			replicas[i] = opened
		}
		adversary(t, replicas[0], replicas[1], 400)
	})
}

const keptCompleted = 5

func adversary(t *testing.T, first, second storetest.Store, sagas int) {
	t.Helper()
	kept := &archive{sagas: make(map[string]record.SagaWithHistory)}
	var deleted atomic.Int64
	fixtures := []*storetest.Fixture{storetest.NewFixture(t, first), storetest.NewFixture(t, second)}
	body := `{"retention":{"completed":{"age":"0","count":5}},"steps":[{"name":"other","command":"a.b"}]}`
	_, _, err := first.PutDefinition(t.Context(), storetest.Definition(t, "order", body))
	require.NoError(t, err)

	ctx, stop := context.WithCancel(t.Context())
	var replicas sync.WaitGroup
	for _, replica := range []storetest.Store{first, second} {
		replicas.Go(func() {
			operate.NewRetention(operate.RetentionConfig{
				Sagas: leaseless{replica}, Letters: replica, Archive: kept, Undone: time.Microsecond, Every: time.Millisecond,
				Deleted: func(kind string, count int) {
					if kind == operate.KindSagas {
						deleted.Add(int64(count))
					}
				},
			}).Run(ctx)
		})
	}
	var mu sync.Mutex
	model := make(map[string]saga.Instance) // the last committed state of each saga
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range sagas / 4 {
				last := live(t, fixtures)
				mu.Lock()
				model[last.ID] = last
				mu.Unlock()
			}
		})
	}
	callers.Wait()
	goes := survivors(model)
	assert.Eventually(t, func() bool { return int(deleted.Load()) >= len(goes) }, 30*time.Second, 5*time.Millisecond)
	stop()
	replicas.Wait()

	for id, last := range model {
		stored, err := second.Saga(t.Context(), id)
		if !goes[id] {
			if assert.NoError(t, err, "%s is %s", id, last.Status) {
				assert.Equal(t, last.Revision, stored.Revision)
			}
			continue
		}
		require.ErrorIs(t, err, record.ErrSagaNotFound, "%s is %s", id, last.Status)
		archived := kept.sagas[id]
		assert.Equal(t, last.Revision, archived.Revision, "its last state is archived")
		assert.Len(t, archived.History, int(last.Entries))
	}
	assert.EqualValues(t, len(goes), deleted.Load(), "each is deleted once")
	assert.Greater(t, len(goes), sagas/4)
}

// survivors returns the sagas that are deleted: ended without attention, and of the completed all but the newest.
func survivors(model map[string]saga.Instance) map[string]bool {
	goes := make(map[string]bool)
	var completed []string
	for id, last := range model {
		if last.Status == saga.Completed {
			completed = append(completed, id)
		}
		goes[id] = last.Status.Terminal() && last.Attention == nil
	}
	slices.Sort(completed)
	for _, id := range completed[max(0, len(completed)-keptCompleted):] {
		goes[id] = false
	}
	for id, is := range goes {
		if !is {
			delete(goes, id)
		}
	}
	return goes
}

// live starts a saga and does one of several things to it, by either replica. It returns the last committed state.
func live(t *testing.T, fixtures []*storetest.Fixture) saga.Instance {
	t.Helper()
	pick := func() *storetest.Fixture { return fixtures[rand.IntN(len(fixtures))] }
	id := storetest.NewID()
	f := pick()
	_, err := f.TryStart(f.Claim(id, "", ""), saga.Start{})
	require.NoError(t, err)
	last, err := f.Saga(t.Context(), id)
	require.NoError(t, err)
	late := storetest.Do(saga.ActionCompensate)
	late.Step = "reserve"
	abandon, success := storetest.Do(saga.ActionAbandon), storetest.Succeed(id, "reserve", `{}`)
	scripts := [][]saga.Cause{
		{},                               // running
		{storetest.Do(saga.ActionPause)}, // paused
		{success, storetest.Succeed(id, "charge", `{}`), storetest.Succeed(id, "confirm", `{}`)}, // completed
		{storetest.Fail(id, "reserve")}, // compensated
		{abandon},                       // abandoned
		{abandon, success},              // a late effect needs attention
		{abandon, success, storetest.Do(saga.ActionAcknowledge)},                                                             // no longer
		{abandon, success, late},                                                                                             // reopened
		{abandon, success, late, storetest.Compensated(id, "reserve")},                                                       // ended again
		{success, storetest.Fail(id, "charge"), storetest.Compensated(id, "reserve")},                                        // compensated
		{success, storetest.Succeed(id, "charge", `{}`), storetest.Fail(id, "confirm"), storetest.Compensated(id, "charge")}, // half compensated
	}
	current := last.Instance
	for _, cause := range scripts[rand.IntN(len(scripts))] {
		next, there := step(t, pick(), id, cause)
		if !there {
			assert.True(t, current.Status.Terminal() && current.Attention == nil, "deleted while %s", current.Status)
			break
		}
		current = next
	}
	return current
}

var (
	errGone  = errors.New("the saga is gone")
	errStale = errors.New("the cause does not apply")
)

// step decides one cause and confirms every command. It returns false if the saga is gone.
func step(t *testing.T, f *storetest.Fixture, id string, cause saga.Cause) (next saga.Instance, there bool) {
	t.Helper()
	batch := record.Batch{SagaIDs: []string{id}}
	for _, name := range []string{"reserve", "charge", "confirm"} {
		back := storetest.Execute(id, name)
		back.Direction = saga.Compensate
		batch.Confirmed = append(batch.Confirmed, storetest.Execute(id, name), back)
	}
	for {
		err := f.Transact(t.Context(), batch, func(l record.Loaded) (record.Changes, error) {
			in, found := l.Instances[id]
			if l.Busy[id] {
				return record.Changes{}, record.ErrUnavailable
			}
			if !found {
				return record.Changes{}, errGone
			}
			if decision, err := f.Order.Transition(in, saga.Event{At: l.Now, Cause: cause}); err != nil || !decision.Changed {
				return record.Changes{}, errors.Join(errStale, err) // from the cache: it is decided again with locks
			}
			changes, err := f.Decide(l, id, cause)
			if err == nil {
				next = changes.Updated[0]
			}
			return changes, err
		})
		switch {
		case errors.Is(err, record.ErrUnavailable): // the deletion has it locked
			continue
		case errors.Is(err, errGone):
			return next, false
		}
		require.NoError(t, err)
		return next, true
	}
}
