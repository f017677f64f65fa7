package e2e

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// tap reads real messages and compares each with its schema.
type tap struct {
	t       *testing.T
	fx      *fixture
	channel *amqp.Channel
	all     map[string]*jsonschema.Schema

	mu   sync.Mutex
	seen map[string]int // messages by schema and kind
}

func newTap(t *testing.T, fx *fixture) *tap {
	t.Helper()
	conn, err := amqp.Dial(fx.amqpURL())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	channel, err := conn.Channel()
	require.NoError(t, err)
	return &tap{t: t, fx: fx, channel: channel, all: schemas(t), seen: map[string]int{}}
}

// on consumes a queue of its own, which gets a copy of what an exchange routes by a key; without an exchange it gets replies.
func (p *tap) on(exchange, key string, take func(d amqp.Delivery)) (queue string) {
	p.t.Helper()
	own, err := p.channel.QueueDeclare("", false, true, true, false, nil)
	require.NoError(p.t, err)
	if exchange != "" {
		require.NoError(p.t, p.channel.QueueBind(own.Name, key, p.fx.prefix+exchange, false, nil))
	}
	deliveries, err := p.channel.Consume(own.Name, "", true, true, false, false, nil)
	require.NoError(p.t, err)
	go func() {
		for d := range deliveries {
			take(d)
		}
	}()
	return own.Name
}

func (p *tap) fits(schema, kind string, content []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seen[schema+" "+kind]++
	assert.NoError(p.t, fits(p.t, p.all[schema], content), "%s %s: %s", schema, kind, content)
}

func (p *tap) headers(schema, kind string, d amqp.Delivery) {
	content, err := json.Marshal(d.Headers)
	assert.NoError(p.t, err)
	p.fits(schema, kind, content)
}

func (p *tap) count(what string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen[what]
}

// Real messages of every kind fit the schemas: commands in both directions, replies, starts, events, and dead letters.
func TestCapturedMessagesFitTheSchemas(t *testing.T) {
	t.Parallel()
	fx := newFixture(t)
	address := freeAddress(t)
	start(t, fx.environment, filepath.Join(fx.programs, "orchestrator"), "serve", "--migrate", "--auth", "none", "--listen", address, "--events", "all")
	a := &api{t: t, base: "http://" + address}
	a.ready()
	putOrderDefinition(t, a)
	p := newTap(t, fx)
	p.on(".events", "#", func(d amqp.Delivery) {
		assert.Equal(t, "application/cloudevents+json", d.ContentType)
		kind, _, _ := strings.Cut(d.Type, ".")
		p.fits("event", kind, d.Body)
	})
	p.on(".dead", "", func(d amqp.Delivery) { p.headers("dead-letter-headers", "rejected", d) })
	p.workers("inventory", "payments", "orders")

	var done, compensated resource.Saga
	a.must(http.StatusCreated, http.MethodPost, "/v1/sagas?wait=15s", map[string]any{"definition": "order", "data": order(2)}, &done)
	assert.Equal(t, saga.Completed, done.Status)
	a.must(http.StatusCreated, http.MethodPost, "/v1/sagas?wait=15s", map[string]any{"definition": "order", "data": order(0)}, &compensated)
	assert.Equal(t, saga.Compensated, compensated.Status)
	startBody := protocolExamples(t)["start"][0]
	p.fits("start", "accepted", []byte(startBody))
	require.NoError(t, p.channel.PublishWithContext(t.Context(), "", fx.prefix+".start", true, false, amqp.Publishing{MessageId: "k1", Body: []byte(startBody)}))
	rejected, found, err := p.channel.Get(fx.prefix+".commands.payments", false)
	require.NoError(t, err)
	require.True(t, found, "the tap has copies, and the commands stay in their queue")
	require.NoError(t, rejected.Reject(false))
	for _, what := range []string{"command execute", "command compensate", "event saga", "event step", "reply succeeded", "reply failed", "dead-letter-headers rejected"} {
		require.Eventually(t, func() bool { return p.count(what) > 0 }, time.Minute, 20*time.Millisecond, "no %s", what)
	}
	require.Eventually(t, func() bool {
		var list struct{ Items []resource.Saga }
		a.must(http.StatusOK, http.MethodGet, "/v1/sagas?definition=order&key=order-42", nil, &list)
		return len(list.Items) == 1
	}, time.Minute, 20*time.Millisecond, "the start was accepted")
}

// workers runs the order example's workers under another prefix. Each command comes to them through the tap, and so do their
// replies to the orchestrator.
func (p *tap) workers(queues ...string) {
	p.t.Helper()
	_, prefix := env.Broker(p.t, queues...)
	broker := rabbit.Connect(rabbit.Config{URL: p.fx.amqpURL(), Prefix: prefix, Logger: slog.New(slog.DiscardHandler)})
	require.Eventually(p.t, func() bool { return broker.Ready() == nil }, time.Minute, 10*time.Millisecond)
	require.NoError(p.t, broker.DeclareQueues(p.t.Context(), queues))
	require.NoError(p.t, broker.Close(context.Background()))
	replies := p.on("", "", func(d amqp.Delivery) {
		var reply struct{ Status string }
		assert.NoError(p.t, json.Unmarshal(d.Body, &reply))
		p.fits("reply", reply.Status, d.Body)
		p.pass(p.fx.prefix+".replies", d, "")
	})
	for _, queue := range queues {
		p.on(".commands", queue, func(d amqp.Delivery) {
			action, _ := d.Headers["saga-action"].(string)
			p.headers("command-headers", action, d)
			p.fits("command", action, d.Body)
			p.pass(prefix+".commands."+queue, d, replies)
		})
		start(p.t, append(p.fx.environment, "AMQP_PREFIX="+prefix), filepath.Join(p.fx.programs, "order-saga"), "worker", "--service", queue)
	}
}

// pass publishes a message to a queue as it came, but for the queue that replies go to.
func (p *tap) pass(queue string, d amqp.Delivery, replyTo string) {
	assert.NoError(p.t, p.channel.PublishWithContext(context.Background(), "", queue, true, false, amqp.Publishing{
		MessageId: d.MessageId, CorrelationId: d.CorrelationId, Type: d.Type, ReplyTo: replyTo, ContentType: d.ContentType,
		DeliveryMode: d.DeliveryMode, Priority: d.Priority, Timestamp: d.Timestamp, Headers: d.Headers, Body: d.Body,
	}))
}
