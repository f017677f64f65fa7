package engine_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// pausedOutbox holds back the commands of one queue, and drops all others.
type pausedOutbox struct {
	nullOutbox
	queue string
}

func (p pausedOutbox) Hold(commands []wire.Command) {
	for i := range commands {
		commands[i].Held = commands[i].Queue == p.queue
	}
}

// A failure does not look into the outbox. The wake that follows does, long before the timeout of the command.
func TestAFailureBesideACommandThatIsHeldBackWithdrawsIt(t *testing.T) {
	t.Parallel()
	e, store := withPausedStock(t, saga.New("beside").
		Step("reserve", "stock.reserve", saga.CompensatedBy("stock.release"), saga.AtOnce(), saga.Timeout(time.Hour)).
		Step("charge", "shop.charge", saga.AtOnce(), saga.Retry(saga.Attempts(1))))
	in, _, err := e.Start(t.Context(), record.StartRequest{Definition: "beside"})
	require.NoError(t, err)
	reply(t, e, in.ID+"/charge/execute/1", `{"status":"failed","error":{"code":"declined"}}`)
	require.Eventually(t, func() bool {
		stored, err := store.Saga(t.Context(), in.ID)
		require.NoError(t, err)
		return stored.Status == saga.Compensated && stored.Steps[0].Status == saga.StepFailed
	}, 10*time.Second, 5*time.Millisecond)
	rows, err := store.OutboxRows(t.Context(), in.ID)
	require.NoError(t, err)
	for _, row := range rows {
		require.NotEqual(t, "stock", row.Queue)
	}
}

// A rewind and a saga that turns back go the same way, so the status says nothing about the difference.
func TestAFailureDuringARewindWithdrawsTheOtherBranch(t *testing.T) {
	t.Parallel()
	e, store := withPausedStock(t, saga.New("beside").
		Step("reserve", "stock.reserve", saga.CompensatedBy("stock.release"), saga.AtOnce(), saga.Timeout(time.Hour)).
		Step("charge", "shop.charge", saga.AtOnce(), saga.CompensatedBy("shop.refund"), saga.Timeout(time.Hour)).
		Step("notify", "shop.notify", saga.AtOnce(), saga.Timeout(time.Hour)))
	in, _, err := e.Start(t.Context(), record.StartRequest{Definition: "beside"})
	require.NoError(t, err)
	reply(t, e, in.ID+"/charge/execute/1", `{"status":"succeeded"}`)
	_, err = e.Act(t.Context(), in.ID, saga.Action{ID: "1", Name: saga.ActionRewind, To: "charge", Reason: "a test"})
	require.NoError(t, err)
	reply(t, e, in.ID+"/notify/execute/1", `{"status":"failed","error":{"code":"declined","retryable":false}}`)
	untilStep(t, store, in.ID, 0, saga.StepFailed)
}

func TestAnAttemptThatALateSuccessMakesNeedlessIsNotSent(t *testing.T) {
	t.Parallel()
	e, store := withPausedStock(t, saga.New("beside").Step("reserve", "stock.reserve", saga.CompensatedBy("stock.release"), saga.Timeout(time.Hour),
		saga.Retry(saga.Attempts(3), saga.Backoff(time.Millisecond, 1, time.Millisecond))))
	in, _, err := e.Start(t.Context(), record.StartRequest{Definition: "beside"})
	require.NoError(t, err)
	reply(t, e, in.ID+"/reserve/execute/1", `{"status":"failed","error":{"code":"busy","retryable":true}}`)
	require.Eventually(t, func() bool {
		stored, err := store.Saga(t.Context(), in.ID)
		require.NoError(t, err)
		return stored.Steps[0].Attempts == 2
	}, 10*time.Second, 5*time.Millisecond)
	reply(t, e, in.ID+"/reserve/execute/1", `{"status":"succeeded"}`)
	untilStep(t, store, in.ID, 0, saga.StepSucceeded)
	require.Eventually(t, func() bool {
		rows, err := store.OutboxRows(t.Context(), in.ID)
		require.NoError(t, err)
		for _, row := range rows {
			if row.CommandID == in.ID+"/reserve/execute/2" {
				return false
			}
		}
		return true
	}, 10*time.Second, 5*time.Millisecond)
}

func withPausedStock(t *testing.T, def *saga.Builder) (*engine.Engine, *memory.Store) {
	t.Helper()
	store, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	e := run(t, engine.Config{Store: store, Outbox: pausedOutbox{queue: "stock"}, PollEvery: time.Hour})
	_, _, err = e.RegisterDefinition(t.Context(), def.MustBuild())
	require.NoError(t, err)
	return e, store
}

func reply(t *testing.T, e *engine.Engine, command, body string) {
	t.Helper()
	acknowledged := make(chan bool, 1)
	e.ReceiveReply(t.Context(), wire.Message{CorrelationID: command, ContentType: "application/json", Body: []byte(body)}, func(ok bool) { acknowledged <- ok })
	require.True(t, <-acknowledged)
}

func untilStep(t *testing.T, store *memory.Store, id string, step int, wanted saga.StepStatus) {
	t.Helper()
	require.Eventually(t, func() bool {
		stored, err := store.Saga(t.Context(), id)
		require.NoError(t, err)
		return stored.Steps[step].Status == wanted
	}, 10*time.Second, 5*time.Millisecond)
}
