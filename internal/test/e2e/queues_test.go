package e2e

import (
	"context"
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

// slowWorker answers the commands of a queue after a while, and counts how many execute commands it has at a time.
type slowWorker struct {
	mu       sync.Mutex
	has      map[string]bool // execute commands without an answer
	answered map[string]bool
	most     int
	order    []string
}

// work consumes a queue until the test ends, each command for that long. Every tenth saga fails at its last step.
func (fx *fixture) work(takes time.Duration, queue string) *slowWorker {
	fx.t.Helper()
	conn, err := amqp.Dial(fx.amqpURL())
	require.NoError(fx.t, err)
	channel, err := conn.Channel()
	require.NoError(fx.t, err)
	require.NoError(fx.t, channel.Qos(500, 0, false))
	deliveries, err := channel.Consume(fx.prefix+".commands."+queue, "", false, false, false, false, nil)
	require.NoError(fx.t, err)
	w := &slowWorker{has: make(map[string]bool), answered: make(map[string]bool)}
	var working sync.WaitGroup
	var publishing sync.Mutex
	ended := false // the test; guarded by publishing
	working.Go(func() {
		for d := range deliveries {
			w.took(d)
			working.Go(func() {
				<-time.After(takes)
				w.answers(d)
				body := `{"status":"succeeded"}`
				if d.Type == "payments.charge" && strings.HasSuffix(d.Headers["saga-id"].(string), "A") {
					body = `{"status":"failed","error":{"code":"declined","retryable":false}}`
				}
				publishing.Lock()
				defer publishing.Unlock()
				if ended {
					return
				}
				assert.NoError(fx.t, channel.PublishWithContext(context.Background(), "", d.ReplyTo, false, false, amqp.Publishing{
					CorrelationId: d.MessageId, ContentType: "application/json", DeliveryMode: amqp.Persistent, Body: []byte(body),
				}))
				assert.NoError(fx.t, d.Ack(false))
			})
		}
	})
	fx.t.Cleanup(func() {
		publishing.Lock()
		ended = true
		publishing.Unlock()
		_ = conn.Close()
		working.Wait()
	})
	return w
}

func (w *slowWorker) took(d amqp.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d.Headers["saga-action"] != "execute" || w.answered[d.MessageId] {
		return
	}
	if !w.has[d.MessageId] {
		w.order = append(w.order, d.MessageId)
	}
	w.has[d.MessageId] = true
	w.most = max(w.most, len(w.has))
}

func (w *slowWorker) answers(d amqp.Delivery) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.has, d.MessageId)
	w.answered[d.MessageId] = true
}

func (w *slowWorker) count() (answered, most int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.answered), w.most
}

// Two replicas share a cap. One of them is killed in the middle.
func TestACapHoldsOverReplicasAndTheDeathOfOne(t *testing.T) {
	t.Parallel()
	const sagas, most = 300, 5
	fx := newFixture(t)
	first, a := fx.serve(freeAddress(t))
	_, b := fx.serve(freeAddress(t))
	a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/paid", map[string]any{"steps": []any{
		map[string]any{"name": "reserve", "queue": "payments", "command": "payments.reserve", "compensation": "payments.release"},
		map[string]any{"name": "charge", "queue": "payments", "command": "payments.charge"},
	}}, nil)
	a.must(http.StatusOK, http.MethodPatch, "/v1/queues/payments", map[string]any{"max_out": most}, nil)
	var ids []string
	for i := range sagas {
		var started resource.Saga
		server := []*api{a, b}[i%2]
		server.must(http.StatusCreated, http.MethodPost, "/v1/sagas", map[string]any{"definition": "paid"}, &started)
		ids = append(ids, started.ID)
	}
	worker := fx.work(10*time.Millisecond, "payments")
	require.Eventually(t, func() bool { answered, _ := worker.count(); return answered > 60 }, settled, 10*time.Millisecond)
	var queue resource.Queue
	b.must(http.StatusOK, http.MethodGet, "/v1/queues/payments", nil, &queue)
	assert.LessOrEqual(t, *queue.CommandsOut, int64(most)+1, "counts are not of one moment")
	assert.Greater(t, *queue.HeldBack, int64(100))
	first.kill()
	ended := b.ends(ids)
	answered, largest := worker.count()
	assert.Equal(t, most, largest, "the cap is reached, and never exceeded")
	assert.GreaterOrEqual(t, answered, 2*sagas)
	for _, end := range ended {
		assert.NotEqual(t, saga.Abandoned, end.Status)
		assert.Equal(t, 1, end.Steps[0].Attempts, "an attempt's time does not run in the outbox")
	}
}

// A pause holds back everything over all replicas. After it commands leave in the order of priority.
func TestAPauseHoldsOverReplicasAndThenPrioritiesDo(t *testing.T) {
	t.Parallel()
	fx := newFixture(t)
	_, a := fx.serve(freeAddress(t))
	_, b := fx.serve(freeAddress(t))
	a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/letter", map[string]any{"steps": []any{
		map[string]any{"name": "receipt", "queue": "orders", "command": "email.receipt", "timeout": "2s"},
	}}, nil)
	worker := fx.work(0, "orders")
	a.must(http.StatusOK, http.MethodPatch, "/v1/queues/orders", map[string]any{"paused": true, "max_out": 1}, nil)
	const sagas = 100
	priorities := make(map[string]int)
	var ids []string
	for i := range sagas {
		var started resource.Saga
		server := []*api{a, b}[i%2] // b has read the settings before the answer of a
		server.must(http.StatusCreated, http.MethodPost, "/v1/sagas", map[string]any{"definition": "letter", "priority": i % 10}, &started)
		ids = append(ids, started.ID)
		priorities[started.ID] = i % 10
	}
	var why resource.Why
	require.Eventually(t, func() bool {
		b.must(http.StatusOK, http.MethodGet, "/v1/sagas/"+ids[0]+"/why", nil, &why)
		return why.Cause == resource.CauseHeldBack
	}, settled, 20*time.Millisecond)
	assert.Nil(t, why.NextAutomatic, "a pause does not end by itself")
	assert.EqualValues(t, 90, *why.Evidence.Outbox.Before)
	answered, _ := worker.count()
	require.Zero(t, answered)
	began := time.Now()
	b.must(http.StatusOK, http.MethodPatch, "/v1/queues/orders", map[string]any{"paused": false}, nil)
	require.Eventually(t, func() bool { answered, _ = worker.count(); return answered > 0 }, settled, time.Millisecond)
	assert.Less(t, time.Since(began), 2*time.Second, "it goes on soon")
	a.ends(ids)
	last := 9
	for _, command := range worker.order {
		priority := priorities[command[:26]]
		assert.LessOrEqual(t, priority, last)
		last = priority
	}
	assert.Len(t, worker.order, sagas)
}
