package engine_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// A worker's message may repeat what it was sent. The history has it, for operators; events leave the orchestrator.
func TestEventsRevealNothingSensitive(t *testing.T) {
	t.Parallel()
	const secret = "4111-1111"
	r := newFixtureWith(t, func(string) []record.Sink { return []record.Sink{record.SinkAMQP} })
	r.register(t, saga.New("payment").Sensitive("/card").Step("charge", "shop.charge", saga.Retry(saga.Attempts(1))).MustBuild())
	r.work(t, handlers{"shop.charge": func(c steps.Command[map[string]any]) (map[string]any, error) {
		return nil, steps.Fail("card_declined", "the bank refuses "+c.Data["card"].(string)+" for order-42")
	}})
	started, _, err := r.Start(t.Context(), record.StartRequest{
		Definition: "payment", Data: json.RawMessage(`{"card":"` + secret + `","order":"order-42"}`),
	})
	require.NoError(t, err)
	r.until(t, started.ID, saga.Compensated)
	events, err := r.store.NextEvents(t.Context(), record.SinkAMQP, 100)
	require.NoError(t, err)
	var all string
	for _, event := range events {
		all += string(event.Data)
	}
	assert.NotContains(t, all, secret)
	assert.Contains(t, all, "the bank refuses *** for order-42")
	entries, _, err := r.store.History(t.Context(), started.ID, record.Page{Limit: 100})
	require.NoError(t, err)
	history, err := json.Marshal(entries)
	require.NoError(t, err)
	assert.NotContains(t, string(history), secret, "the data may change before the history is read")
	assert.Contains(t, string(history), "the bank refuses *** for order-42")
}
