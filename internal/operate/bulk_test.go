package operate_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/saga-orchestrator/orchestrator/internal/operate"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store/memory"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// targets decides by its function, and stores the outcome as the engine does.
type targets struct {
	store  *memory.Store
	decide func(n int64) (record.BulkOutcome, error)
	asked  atomic.Int64
}

func (d *targets) Do(ctx context.Context, _ *record.BulkAction, ref record.BulkRef) error {
	outcome, err := d.decide(d.asked.Add(1))
	if err != nil {
		return err
	}
	return d.store.Transact(ctx, record.Batch{Bulk: []record.BulkRef{ref}}, func(loaded record.Loaded) (record.Changes, error) {
		if loaded.BulkOver[ref] {
			return record.Changes{}, record.ErrBulkOver
		}
		return record.Changes{Results: []record.BulkResult{{BulkRef: ref, Outcome: outcome}}}, nil
	})
}

type fixture struct {
	*memory.Store
	t       *testing.T
	targets *targets
	bulk    *operate.Bulk
}

func newFixture(t *testing.T, decide func(n int64) (record.BulkOutcome, error)) *fixture {
	t.Helper()
	store, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	f := &fixture{Store: store, t: t, targets: &targets{store: store, decide: decide}}
	f.bulk = operate.NewBulk(operate.Config{
		Bulks: store, Targets: map[record.BulkKind]operate.Targets{record.BulkSagas: f.targets}, Holder: "me", Chunk: 4,
	})
	return f
}

// create makes a bulk action on so many sagas.
func (f *fixture) create(action record.BulkAction, sagas int) string {
	f.t.Helper()
	w := storetest.NewFixture(f.t, f.Store)
	for range sagas {
		w.Start(saga.Start{})
	}
	action.ID, action.Kind, action.Filter = ulid.Make().String(), record.BulkSagas, json.RawMessage(`{}`)
	made, err := f.CreateBulk(f.t.Context(), action, record.BulkTargets{Sagas: &record.Filter{}})
	require.NoError(f.t, err)
	require.Equal(f.t, sagas, made.Tally.Matched)
	return made.ID
}

// run lets it work for a while of virtual time.
func (f *fixture) run(d time.Duration) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), d)
	defer cancel()
	f.bulk.Run(ctx)
}

func (f *fixture) get(id string) record.BulkAction {
	f.t.Helper()
	action, err := f.Bulk(f.t.Context(), id)
	require.NoError(f.t, err)
	return action
}

func done(int64) (record.BulkOutcome, error) { return record.BulkDone, nil }

func TestABulkActionIsCarriedOutToItsEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(n int64) (record.BulkOutcome, error) {
			return []record.BulkOutcome{record.BulkDone, record.BulkRefused, record.BulkFailed}[n%3], nil
		})
		id := f.create(record.BulkAction{}, 99)
		f.run(time.Second)
		action := f.get(id)
		assert.Equal(t, record.BulkCompleted, action.Status)
		assert.Equal(t, record.BulkTally{Matched: 99, Done: 33, Refused: 33, Failed: 33}, action.Tally)
		assert.EqualValues(t, 99, f.targets.asked.Load(), "each once")
	})
}

func TestACanaryIsExact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, done)
		id := f.create(record.BulkAction{Canary: 7}, 50)
		f.run(time.Second)
		assert.Equal(t, record.BulkWaiting, f.get(id).Status)
		assert.Equal(t, 7, f.get(id).Tally.Done)
		_, err := f.ControlBulk(t.Context(), id, (*record.BulkAction).Continue)
		require.NoError(t, err)
		f.run(time.Second)
		assert.Equal(t, record.BulkCompleted, f.get(id).Status)
		assert.Equal(t, 50, f.get(id).Tally.Done)
	})
}

func TestStopAfterIsExact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(n int64) (record.BulkOutcome, error) {
			return map[bool]record.BulkOutcome{true: record.BulkDone, false: record.BulkRefused}[n%2 == 0], nil
		})
		id := f.create(record.BulkAction{StopAfter: 5}, 100)
		f.run(time.Second)
		action := f.get(id)
		assert.Equal(t, record.BulkStopped, action.Status)
		assert.Equal(t, 5, action.Tally.Refused)
		assert.Equal(t, 100, action.Tally.Done+action.Tally.Refused+action.Tally.Remaining())
	})
}

func TestARateIsKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, rate := range []float64{0.5, 10, 200} {
			f := newFixture(t, done)
			id := f.create(record.BulkAction{Rate: rate}, 1000)
			f.run(10 * time.Second)
			assert.LessOrEqual(t, float64(f.get(id).Tally.Done), rate*10+max(1, rate/10), "rate %v", rate)
			assert.GreaterOrEqual(t, float64(f.get(id).Tally.Done), min(1000, rate*9), "rate %v", rate)
		}
	})
}

// SQL, or an older version, may have stored a rate with which an action would never end.
func TestATinyRateCountsAsTheLeast(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, rate := range []float64{1e-300, math.SmallestNonzeroFloat64, record.MinBulkRate / 2} {
			f := newFixture(t, done)
			id := f.create(record.BulkAction{Rate: rate}, 10)
			f.run(10 * time.Duration(float64(time.Second)/record.MinBulkRate))
			assert.Equal(t, record.BulkCompleted, f.get(id).Status, "rate %v", rate)
		}
	})
}

func TestWhatCannotBeDecidedNowIsDecidedLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, func(n int64) (record.BulkOutcome, error) {
			if n <= 8 {
				return "", errors.New("the database is away")
			}
			return record.BulkDone, nil
		})
		id := f.create(record.BulkAction{}, 20)
		f.run(10 * time.Second)
		assert.Equal(t, record.BulkTally{Matched: 20, Done: 20}, f.get(id).Tally)
	})
}

func TestACancelledBulkActionEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t, done)
		id := f.create(record.BulkAction{Rate: 1}, 20)
		f.run(5 * time.Second)
		_, err := f.ControlBulk(t.Context(), id, (*record.BulkAction).Cancel)
		require.NoError(t, err)
		before := f.get(id).Tally
		f.run(5 * time.Second)
		assert.Equal(t, before, f.get(id).Tally)
		assert.Equal(t, record.BulkCancelled, f.get(id).Status)
	})
}
