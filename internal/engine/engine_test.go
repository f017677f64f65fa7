package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/relay"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/local"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is an engine with the real relay, the store in memory and the in-process broker.
type fixture struct {
	*engine.Engine
	store  *memory.Store
	broker *local.Broker
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	return newFixtureWith(t, nil)
}

// newFixtureWith is newFixture with sinks for lifecycle events.
func newFixtureWith(t *testing.T, sinks engine.Sinks) *fixture {
	t.Helper()
	store, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	r := &fixture{store: store, broker: local.New()}
	outbox := relay.New(relay.Config{
		Rows: store, Publisher: r.broker,
		Published: func(ctx context.Context, id saga.CommandID, done func()) { r.Published(ctx, id, done) },
	})
	r.Engine = engine.New(engine.Config{Store: store, Outbox: outbox, Queues: r.broker, PollEvery: 50 * time.Millisecond, Events: sinks})
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { outbox.Run(ctx) })
	parts.Go(func() { r.Run(ctx, time.Second) })
	parts.Go(func() {
		r.broker.ConsumeReplies(ctx, func(m wire.Message, settle func(bool)) { r.ReceiveReply(ctx, m, settle) })
	})
	t.Cleanup(func() {
		cancel()
		parts.Wait()
		require.NoError(t, store.Close())
	})
	return r
}

// work runs a worker of the queue shop.
func (r *fixture) work(t *testing.T, handlers map[string]func(steps.Command[map[string]any]) (map[string]any, error)) {
	t.Helper()
	worker := steps.NewWorker("shop", steps.Config{})
	for name, handle := range handlers {
		steps.Handle(worker, name, func(_ context.Context, c steps.Command[map[string]any]) (map[string]any, error) { return handle(c) })
	}
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { _ = worker.Run(ctx, r.broker) })
	t.Cleanup(func() { cancel(); working.Wait() })
}

func (r *fixture) register(t *testing.T, def *saga.Definition) {
	t.Helper()
	_, _, err := r.RegisterDefinition(t.Context(), def)
	require.NoError(t, err)
}

// until waits until a saga has that status.
func (r *fixture) until(t *testing.T, id string, wanted saga.Status) saga.Instance {
	t.Helper()
	var in saga.Instance
	require.Eventually(t, func() bool {
		stored, err := r.store.Saga(context.Background(), id)
		require.NoError(t, err)
		in = stored.Instance
		return in.Status == wanted
	}, 10*time.Second, 5*time.Millisecond, "saga %s should be %s", id, wanted)
	return in
}

func payment() *saga.Definition {
	return saga.New("payment").
		Step("reserve", "shop.reserve", saga.CompensatedBy("shop.release")).
		Step("charge", "shop.charge", saga.Retry(saga.Attempts(2), saga.Backoff(time.Millisecond, 1, time.Millisecond))).
		MustBuild()
}

type handlers = map[string]func(steps.Command[map[string]any]) (map[string]any, error)

func done(steps.Command[map[string]any]) (map[string]any, error) {
	return map[string]any{"ok": true}, nil
}

func TestASagaRunsToItsEnd(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
	r.register(t, payment())
	r.work(t, handlers{"shop.reserve": done, "shop.charge": done, "shop.release": done})
	in, existed, err := r.Start(t.Context(), record.StartRequest{Definition: "payment", Data: json.RawMessage(`{"a":1}`)})
	require.NoError(t, err)
	require.False(t, existed)
	in = r.until(t, in.ID, saga.Completed)
	require.JSONEq(t, `{"a":1,"ok":true}`, string(in.Data))
}

func TestAFinalFailureCompensatesTheSaga(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
	r.register(t, payment())
	r.work(t, handlers{
		"shop.reserve": done, "shop.release": done,
		"shop.charge": func(steps.Command[map[string]any]) (map[string]any, error) {
			return nil, steps.Fail("declined", "no money")
		},
	})
	in, _, err := r.Start(t.Context(), record.StartRequest{Definition: "payment"})
	require.NoError(t, err)
	in = r.until(t, in.ID, saga.Compensated)
	require.Equal(t, saga.StepCompensated, in.Steps[0].Status)
	require.Equal(t, "declined", in.Failure.Code)
}

func TestARetryFollowsTheStoredWakeTime(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
	r.register(t, payment())
	var mu sync.Mutex
	calls := 0
	r.work(t, handlers{
		"shop.reserve": done,
		"shop.charge": func(steps.Command[map[string]any]) (map[string]any, error) {
			mu.Lock()
			defer mu.Unlock()
			if calls++; calls == 1 {
				return nil, errors.New("not now")
			}
			return nil, nil
		},
	})
	in, _, err := r.Start(t.Context(), record.StartRequest{Definition: "payment"})
	require.NoError(t, err)
	in = r.until(t, in.ID, saga.Completed)
	require.Equal(t, 2, in.Steps[1].Attempts)
}

func TestConcurrentStartsUnderOneIdempotencyKeyMakeOneSaga(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
	r.register(t, payment())
	const callers = 100
	ids := make([]string, callers)
	made := make([]bool, callers)
	var calls sync.WaitGroup
	for i := range callers {
		calls.Go(func() {
			in, existed, err := r.Start(context.Background(),
				record.StartRequest{Definition: "payment", IdempotencyKey: "k", BodyHash: []byte("h")})
			if err == nil {
				ids[i], made[i] = in.ID, !existed
			}
		})
	}
	calls.Wait()
	created := 0
	for i := range callers {
		require.Equal(t, ids[0], ids[i])
		if made[i] {
			created++
		}
	}
	require.Equal(t, 1, created)
	_, _, err := r.Start(t.Context(), record.StartRequest{Definition: "payment", IdempotencyKey: "k", BodyHash: []byte("other")})
	require.ErrorIs(t, err, record.ErrIdempotencyConflict)
}

func TestABusinessKeyIsHeldUntilTheSagaEnds(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
	r.register(t, payment())
	first, _, err := r.Start(t.Context(), record.StartRequest{Definition: "payment", Key: "order-1"})
	require.NoError(t, err)
	_, _, err = r.Start(t.Context(), record.StartRequest{Definition: "payment", Key: "order-1"})
	var inUse *record.KeyInUseError
	require.ErrorAs(t, err, &inUse)
	require.Equal(t, first.ID, inUse.SagaID)
	_, err = r.Act(t.Context(), first.ID, saga.Action{ID: "a", Name: saga.ActionAbandon, Reason: "test"})
	require.NoError(t, err)
	_, _, err = r.Start(t.Context(), record.StartRequest{Definition: "payment", Key: "order-1"})
	require.NoError(t, err)
}

func TestARefusedActionReturnsTheUnchangedSaga(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
	r.register(t, payment())
	in, _, err := r.Start(t.Context(), record.StartRequest{Definition: "payment"})
	require.NoError(t, err)
	shown, err := r.Act(t.Context(), in.ID, saga.Action{ID: "a", Name: saga.ActionResume})
	var refusal *saga.Refusal
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, saga.RefusedNotApplicable, refusal.Code)
	require.Equal(t, in.ID, shown.ID)
	_, err = r.Act(t.Context(), "01J00000000000000000000000", saga.Action{ID: "a", Name: saga.ActionPause})
	require.ErrorIs(t, err, record.ErrSagaNotFound)
}

func TestMeaninglessRepliesAreDeadLetteredAndSettled(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
	for i, m := range []wire.Message{
		{CorrelationID: "nonsense", Body: []byte(`{}`)},
		{CorrelationID: "01J00000000000000000000000/a/execute/1", Body: []byte(`{"status":"succeeded"}`)},
		{CorrelationID: "01J00000000000000000000000/a/execute/1", Body: []byte(`{"status":"succeeded","output":{"x":"\u0000"}}`)},
		{CorrelationID: "01J00000000000000000000000/a/execute/1", Body: []byte(`{"status":"maybe"}`)},
	} {
		settled := make(chan bool, 1)
		r.ReceiveReply(t.Context(), m, func(ok bool) { settled <- ok })
		require.True(t, <-settled, fmt.Sprint(i))
	}
	letters, _, err := r.store.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{Limit: 10})
	require.NoError(t, err)
	reasons := map[string]int{}
	for _, letter := range letters {
		reasons[letter.Reason+" "+letter.CommandID]++
	}
	require.Equal(t, map[string]int{
		"malformed_reply ": 1, "malformed_reply 01J00000000000000000000000/a/execute/1": 1,
		"unknown_saga 01J00000000000000000000000/a/execute/1": 2,
	}, reasons, "the dead letter names its command if the message does")
}

// A success whose output cannot be merged is not a lost reply: the message is kept for the operator.
func TestASuccessWithAnInvalidOutputIsDeadLetteredAndCompensated(t *testing.T) {
	t.Parallel()
	r := newFixture(t)
	r.register(t, payment())
	in, _, err := r.Start(t.Context(), record.StartRequest{Definition: "payment"})
	require.NoError(t, err)
	body := `{"status":"succeeded","output":{"x":"\u0000"}}`
	for range 2 {
		settled := make(chan bool, 1)
		r.ReceiveReply(t.Context(), wire.Message{CorrelationID: in.ID + "/reserve/execute/1", Body: []byte(body)}, func(ok bool) { settled <- ok })
		require.True(t, <-settled)
	}
	kept, err := r.store.Saga(t.Context(), in.ID)
	require.NoError(t, err)
	in = kept.Instance
	require.Equal(t, saga.StepCompensating, in.Steps[0].Status)
	require.Equal(t, 1, in.Steps[0].Attempts)
	require.Equal(t, saga.CodeInvalidOutput, in.Failure.Code)
	letters, _, err := r.store.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, letters, 1)
	require.Equal(t, saga.CodeInvalidOutput, letters[0].Reason)
	letter, err := r.store.DeadLetter(t.Context(), letters[0].ID)
	require.NoError(t, err)
	require.Equal(t, body, string(letter.Body))
}
