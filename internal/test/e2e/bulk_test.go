package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// A replica that is killed in the middle of a bulk action leaves no saga out and acts on none twice, while other sagas
// start.
func TestABulkActionSurvivesTheDeathOfItsReplica(t *testing.T) {
	t.Parallel()
	const sagas = 250
	fx := newFixture(t)
	first, a := fx.serve(freeAddress(t))
	a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/letter", map[string]any{"steps": []any{map[string]any{
		"name": "receipt", "queue": "orders", "command": "email.receipt", "kind": "retriable", "retry": map[string]any{"max_attempts": 1},
	}}}, nil)
	var ids []string
	for range sagas {
		var started resource.Saga
		a.must(http.StatusCreated, http.MethodPost, "/v1/sagas", map[string]any{"definition": "letter"}, &started)
		ids = append(ids, started.ID)
	}
	fx.refuseAll(ids, "receipt")
	require.Eventually(t, func() bool {
		var groups resource.Groups
		a.must(http.StatusOK, http.MethodGet, "/v1/stuck", nil, &groups)
		return groups.Total == sagas
	}, settled, 50*time.Millisecond)

	var action resource.BulkAction
	a.must(http.StatusAccepted, http.MethodPost, "/v1/sagas/actions", map[string]any{
		"action": "retry", "reason": "the mail server is back", "filter": map[string]any{"definition": "letter"}, "rate": 100,
	}, &action)
	_, b := fx.serve(freeAddress(t))
	progress := func() resource.BulkAction {
		b.must(http.StatusOK, http.MethodGet, "/v1/actions/"+action.ID, nil, &action)
		return action
	}
	require.Eventually(t, func() bool { return progress().Done > 20 }, settled, 5*time.Millisecond)
	endLoad := b.load("letter")
	first.kill()
	require.Positive(t, progress().Remaining, "it was killed in the middle")
	require.Eventually(t, func() bool { return progress().Status == "completed" }, settled, 100*time.Millisecond)
	later := endLoad()
	require.Greater(t, len(later), 20, "sagas started meanwhile")
	assert.Equal(t, []int{sagas, sagas, 0, 0}, []int{action.Matched, action.Done, action.Refused, action.Failed})
	for _, id := range ids {
		var after resource.Saga
		b.must(http.StatusOK, http.MethodGet, "/v1/sagas/"+id, nil, &after)
		require.Equal(t, saga.Running, after.Status)
		require.Equal(t, 2, after.Steps[0].Attempts, "saga %s is retried once", id)
	}
	for _, id := range later {
		var after resource.Saga
		b.must(http.StatusOK, http.MethodGet, "/v1/sagas/"+id, nil, &after)
		require.Equal(t, 1, after.Steps[0].Attempts, "saga %s did not match when the action was taken", id)
	}
}

// load starts sagas one after the other until the returned function is called, which returns their ids.
func (a *api) load(definition string) (end func() []string) {
	ctx, cancel := context.WithCancel(a.t.Context())
	var ids []string
	var starting sync.WaitGroup
	starting.Go(func() {
		for ctx.Err() == nil {
			var started resource.Saga
			status, err := a.patiently(http.MethodPost, "/v1/sagas", map[string]any{"definition": definition}, &started)
			if !assert.NoError(a.t, err) || !assert.Equal(a.t, http.StatusCreated, status) {
				return
			}
			ids = append(ids, started.ID)
		}
	})
	return func() []string { cancel(); starting.Wait(); return ids }
}

// amqpURL returns the URL of the broker.
func (fx *fixture) amqpURL() (url string) {
	for _, variable := range fx.environment {
		if value, found := strings.CutPrefix(variable, "AMQP_URL="); found {
			url = value
		}
	}
	return url
}

// refuseAll answers the first command of a step of each saga with a final failure.
func (fx *fixture) refuseAll(ids []string, step string) {
	fx.t.Helper()
	conn, err := amqp.Dial(fx.amqpURL())
	require.NoError(fx.t, err)
	defer conn.Close()
	channel, err := conn.Channel()
	require.NoError(fx.t, err)
	for _, id := range ids {
		require.NoError(fx.t, channel.PublishWithContext(fx.t.Context(), "", fx.prefix+".replies", false, false, amqp.Publishing{
			CorrelationId: fmt.Sprintf("%s/%s/execute/1", id, step), ContentType: "application/json", DeliveryMode: amqp.Persistent,
			Body: []byte(`{"status":"failed","error":{"code":"mailbox_full","message":"no","retryable":false}}`),
		}))
	}
}
