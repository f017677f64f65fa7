package operate_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/internal/operate"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// requests are start requests in memory. A claimed one is not given again.
type requests struct {
	mu       sync.Mutex
	waiting  []record.QueuedStart
	dropped  []int64
	pauses   []time.Duration
	returned []int64
	failures int // of the next claims
}

func (r *requests) add(numbers ...int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, number := range numbers {
		r.waiting = append(r.waiting, record.QueuedStart{Number: number})
	}
}

func (r *requests) ClaimStarts(ctx context.Context, limit, _ int, _ time.Duration) ([]record.QueuedStart, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failures > 0 {
		r.failures--
		return nil, errors.New("the database is away")
	}
	claimed := r.waiting[:min(limit, len(r.waiting))]
	r.waiting = r.waiting[len(claimed):]
	return claimed, ctx.Err()
}

func (r *requests) DropStarts(_ context.Context, numbers []int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped = append(r.dropped, numbers...)
	return nil
}

func (r *requests) ReturnStarts(_ context.Context, numbers []int64, pause time.Duration) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.returned, r.pauses = append(r.returned, numbers...), append(r.pauses, pause)
	return nil
}

func (r *requests) left() []int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.dropped))
}

func takeStarts(t *testing.T, rows *requests, take func(context.Context, record.QueuedStart, func(bool))) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { operate.Starts{Requests: rows, Take: take, Every: time.Second}.Run(ctx) })
	return func() { cancel(); running.Wait() }
}

// Only what is stored is dropped, and what cannot be stored delays the others by a bounded time.
func TestAStartThatCannotBeStoredDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rows := &requests{failures: 2}
		rows.add(1, 2, 3, 4)
		end := takeStarts(t, rows, func(ctx context.Context, start record.QueuedStart, settle func(bool)) {
			switch start.Number {
			case 2: // it is tried until the time is up
				<-ctx.Done()
				settle(false)
			case 3: // never settled
			default:
				settle(true)
			}
		})
		time.Sleep(4 * time.Second) // two failures, then the claim
		rows.add(5)
		time.Sleep(6 * time.Second)
		assert.Equal(t, []int64{1, 4, 5}, rows.left())
		end()
	})
}

// A start that has waited behind costly ones has not failed: its next claim must not last longer.
func TestAStartThatWaitedForItsTurnIsGivenBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rows := &requests{}
		rows.add(1, 2, 3, 4)
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			operate.Starts{
				Requests: rows, Every: time.Second,
				Take: func(ctx context.Context, start record.QueuedStart, settle func(bool)) {
					if start.Number > 1 {
						<-ctx.Done()
					}
					settle(start.Number == 1)
				},
				Waits: func(start record.QueuedStart) bool { return start.Number != 4 },
			}.Run(ctx)
		})
		time.Sleep(10 * time.Second)
		assert.Equal(t, []int64{1}, rows.left())
		assert.Equal(t, []int64{2, 3}, rows.returned)
		cancel()
		running.Wait()
	})
}

// Starts of other definitions do not wait for them, however many there are.
func TestAStartDoesNotWaitBehindStartsThatWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rows := &requests{}
		for number := range int64(1000) {
			rows.add(number + 1)
		}
		rows.add(0, 2000) // SQL may give any number
		prompt := func(number int64) bool { return number == 0 || number == 2000 }
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			operate.Starts{
				Requests: rows, Every: time.Second,
				Take: func(ctx context.Context, start record.QueuedStart, settle func(bool)) {
					if !prompt(start.Number) {
						<-ctx.Done()
					}
					settle(prompt(start.Number))
				},
				Waits: func(start record.QueuedStart) bool { return !prompt(start.Number) },
			}.Run(ctx)
		})
		time.Sleep(1100 * time.Millisecond)
		assert.Equal(t, []int64{0, 2000}, rows.left())
		assert.Len(t, rows.returned, 1000-256)
		assert.Equal(t, 7440*time.Millisecond, slices.Max(rows.pauses), "the more there are, the longer they wait")
		cancel()
		running.Wait()
		assert.Len(t, rows.returned, 1000, "a shutdown does not wait for them")
	})
}

// A full batch is followed by the next one at once.
func TestManyStartsAreTakenInWithoutPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rows := &requests{}
		for number := range int64(1000) {
			rows.add(number + 1)
		}
		end := takeStarts(t, rows, func(_ context.Context, _ record.QueuedStart, settle func(bool)) { settle(true) })
		time.Sleep(1100 * time.Millisecond)
		assert.Len(t, rows.left(), 1000)
		end()
	})
}

// What is claimed when the replica stops is still stored and dropped.
func TestClaimedStartsAreFinishedAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		rows := &requests{}
		rows.add(1)
		taken := make(chan struct{})
		end := takeStarts(t, rows, func(ctx context.Context, _ record.QueuedStart, settle func(bool)) {
			close(taken)
			select {
			case <-time.After(3 * time.Second):
				settle(true)
			case <-ctx.Done():
				settle(false)
			}
		})
		<-taken
		end()
		assert.Equal(t, []int64{1}, rows.left())
	})
}
