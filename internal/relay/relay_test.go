package relay_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/relay"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/local"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is a relay between the store in memory and the in-process broker.
type fixture struct {
	*relay.Relay
	store  *memory.Store
	broker *local.Broker

	mu   sync.Mutex
	late []saga.CommandID
}

func newRig(t *testing.T) *fixture {
	t.Helper()
	r := newIdle(t)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return r
}

// newIdle returns a relay that does nothing by itself: the test calls what Run calls.
func newIdle(t *testing.T) *fixture {
	t.Helper()
	store, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	r := &fixture{store: store, broker: local.New()}
	r.Relay = relay.New(relay.Config{
		Rows: store, Publisher: r.broker, ClaimEvery: 20 * time.Millisecond,
		Published: func(_ context.Context, id saga.CommandID, done func()) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.late = append(r.late, id)
			done()
		},
	})
	return r
}

// commit stores a saga with its first command, as the engine would, and returns the command.
func (r *fixture) commit(t *testing.T) wire.Command {
	t.Helper()
	plan := saga.New("d").Step("a", "q.a").MustBuild()
	plan, err := saga.ParseDefinition("d", 1, must(plan.MarshalJSON()))
	require.NoError(t, err)
	var command wire.Command
	claim := record.StartClaim{SagaID: "01J00000000000000000000000", Definition: "d"}
	err = r.store.Transact(t.Context(), record.Batch{Starts: []record.StartClaim{claim}},
		func(loaded record.Loaded) (record.Changes, error) {
			decision, err := plan.Start(saga.Start{ID: claim.SagaID, At: loaded.Now})
			if err != nil {
				return record.Changes{}, err
			}
			command = wire.EncodeCommand(&decision.Next, decision.Commands[0])
			return record.Changes{Created: []saga.Instance{decision.Next}, Commands: []wire.Command{command}}, nil
		})
	require.NoError(t, err)
	return command
}

func must(content []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return content
}

func (r *fixture) confirmed(t *testing.T) []saga.CommandID {
	t.Helper()
	var taken []saga.CommandID
	require.Eventually(t, func() bool {
		taken = append(taken, r.TakeConfirmed(1, 10)...)
		return len(taken) > 0
	}, 10*time.Second, 5*time.Millisecond)
	return taken
}

func TestACommittedCommandIsPublishedFromMemory(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	require.NoError(t, r.broker.DeclareQueues(t.Context(), []string{"q"}))
	command := r.commit(t)
	r.Dispatch([]wire.Command{command})
	require.Equal(t, []saga.CommandID{command.ID}, r.confirmed(t))
	require.Empty(t, r.late, "its time counts from the commit")
}

func TestAnUnpublishedCommandIsClaimedAndItsTimeStartsThen(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	require.NoError(t, r.broker.DeclareQueues(t.Context(), []string{"q"}))
	command := r.commit(t) // the process that should hand it over is gone
	require.Equal(t, []saga.CommandID{command.ID}, r.confirmed(t))
	r.mu.Lock()
	defer r.mu.Unlock()
	require.Equal(t, []saga.CommandID{command.ID}, r.late)
}

func TestACommandWaitsInTheOutboxForItsQueue(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	command := r.commit(t)
	r.Dispatch([]wire.Command{command})
	require.Eventually(t, func() bool {
		problems, err := r.store.QueueProblems(context.Background())
		require.NoError(t, err)
		return len(problems) == 1 && problems[0].Queue == command.Queue && problems[0].Kind == record.QueueMissing
	}, 10*time.Second, 5*time.Millisecond, "the missing queue should be noted")
	require.Empty(t, r.TakeConfirmed(1, 10))
	require.Equal(t, []saga.CommandID{command.ID}, r.confirmed(t), "the relay declares the missing queue")
}

func TestManyUnpublishedCommandsSlowTheirSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broker := local.New()
		require.NoError(t, broker.DeclareQueues(t.Context(), []string{"q"}))
		r := relay.New(relay.Config{
			Rows: &table{}, Publisher: broker, Capacity: 8,
			Published: func(_ context.Context, _ saga.CommandID, done func()) { done() },
		})
		began := time.Now()
		r.Await(t.Context())
		require.Zero(t, time.Since(began), "there is room")
		r.Dispatch([]wire.Command{{Queue: "q"}, {Queue: "q"}, {Queue: "q"}})
		r.Await(t.Context())
		require.Positive(t, time.Since(began), "no publisher runs")
		require.Less(t, time.Since(began), time.Second, "the pause is short")

		began = time.Now()
		waited := make(chan time.Duration)
		go func() {
			r.Await(t.Context())
			waited <- time.Since(began)
		}()
		synctest.Wait()
		require.True(t, r.PublishHanded(t.Context()))
		require.Zero(t, <-waited, "room appears as soon as a command was taken")
	})
}

func TestConfirmedRowsThatWereNotDeletedAreReturned(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	require.NoError(t, r.broker.DeclareQueues(t.Context(), []string{"q"}))
	command := r.commit(t)
	r.Dispatch([]wire.Command{command})
	taken := r.confirmed(t)
	require.Empty(t, r.TakeConfirmed(1, 10))
	r.ReturnConfirmed(taken)
	require.Equal(t, taken, r.TakeConfirmed(1, 10))
}

func TestConfirmedRowsAreTakenWithinTheLimits(t *testing.T) {
	t.Parallel()
	r := relay.New(relay.Config{})
	ids := []saga.CommandID{{Saga: "a"}, {Saga: "b"}, {Saga: "c"}}
	r.ReturnConfirmed(ids)
	require.Empty(t, r.TakeConfirmed(4, 10), "fewer than the batch's minimum")
	require.Equal(t, ids[:2], r.TakeConfirmed(2, 2))
	require.Empty(t, r.TakeConfirmed(2, 2))
	require.Equal(t, ids[2:], r.TakeConfirmed(1, 2))
	require.Empty(t, r.TakeConfirmed(1, 2))
}
