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
	store, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	e := run(t, engine.Config{Store: store, Outbox: pausedOutbox{queue: "stock"}, PollEvery: time.Hour})
	_, _, err = e.RegisterDefinition(t.Context(), saga.New("beside").
		Step("reserve", "stock.reserve", saga.CompensatedBy("stock.release"), saga.AtOnce(), saga.Timeout(time.Hour)).
		Step("charge", "shop.charge", saga.AtOnce(), saga.Retry(saga.Attempts(1))).MustBuild())
	require.NoError(t, err)
	in, _, err := e.Start(t.Context(), record.StartRequest{Definition: "beside"})
	require.NoError(t, err)
	acknowledged := make(chan bool, 1)
	e.ReceiveReply(t.Context(), wire.Message{
		CorrelationID: in.ID + "/charge/execute/1", ContentType: "application/json", Body: []byte(`{"status":"failed","error":{"code":"declined"}}`),
	}, func(ok bool) { acknowledged <- ok })
	require.True(t, <-acknowledged)
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
