package workercheck_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/workercheck"
)

// broker declares what the orchestrator declares, and returns the options of a check.
func broker(t *testing.T) workercheck.Options {
	t.Helper()
	url, prefix := env.Broker(t, "payments")
	declaring := rabbit.Connect(rabbit.Config{URL: url, Prefix: prefix, Logger: slog.New(slog.DiscardHandler)})
	require.Eventually(t, func() bool { return declaring.Ready() == nil }, time.Minute, 10*time.Millisecond)
	require.NoError(t, declaring.DeclareQueues(t.Context(), []string{"payments"}))
	require.NoError(t, declaring.Close(context.Background()))
	return workercheck.Options{
		URL: url, Prefix: prefix, Queue: "payments", Command: "payments.charge", Compensation: "payments.refund",
		Data: []byte(`{"orderId":"42","amount":120}`), Timeout: 3 * time.Second,
	}
}

// flaws are what a wrong worker does wrong.
type flaws struct {
	correlation, body, repeats, byMessage, refusesEmpty, forgets, tombstones, stale, requeues, races, silent, transient, early bool
}

// memory is a worker that keeps its replies in memory. It is right but for its flaws.
type memory struct {
	flaws flaws

	mu     sync.Mutex
	stored map[string]string // by key
	gone   map[string]bool   // keys of executions that were compensated
}

const refusal = `{"status":"failed","error":{"code":"compensated_already","message":"","retryable":false}}`

// reply handles a command and returns its reply.
func (m *memory) reply(d amqp.Delivery) string {
	key, _ := d.Headers["saga-idempotency-key"].(string)
	if m.flaws.byMessage {
		key = d.MessageId
	}
	if !m.flaws.races {
		m.mu.Lock()
		defer m.mu.Unlock()
	}
	known, found := m.get(key)
	execution, compensates := strings.CutSuffix(key, "/compensate")
	switch {
	case !compensates && m.isGone(key):
		return refusal
	case found && !m.flaws.repeats:
		return known
	case compensates:
		return m.compensated(key, execution+"/execute")
	}
	<-time.After(20 * time.Millisecond) // the work
	answer := fmt.Sprintf(`{"status":"succeeded","output":{"chargeId":%q}}`, rand.Text())
	m.put(key, answer)
	return answer
}

func (m *memory) compensated(key, execution string) string {
	_, effect := m.get(execution)
	if !effect && m.flaws.refusesEmpty {
		return `{"status":"failed","error":{"code":"unknown_charge","message":"","retryable":false}}`
	}
	if m.flaws.forgets && effect {
		m.forget(execution)
	} else if effect || !m.flaws.tombstones {
		m.bury(execution)
	}
	m.put(key, `{"status":"succeeded"}`)
	return `{"status":"succeeded"}`
}

// The locked parts are their own functions because a worker that races does not lock around them.
func (m *memory) locked() func() {
	if m.flaws.races {
		m.mu.Lock()
		return m.mu.Unlock
	}
	return func() {}
}

func (m *memory) get(key string) (string, bool) {
	defer m.locked()()
	known, found := m.stored[key]
	return known, found
}

func (m *memory) put(key, reply string) {
	defer m.locked()()
	m.stored[key] = reply
}

func (m *memory) forget(key string) {
	defer m.locked()()
	delete(m.stored, key)
}

func (m *memory) bury(key string) {
	defer m.locked()()
	m.gone[key] = true
}

func (m *memory) isGone(key string) bool {
	defer m.locked()()
	return m.gone[key]
}

// start runs a worker with flaws until the test ends.
func start(t *testing.T, o workercheck.Options, f flaws) {
	t.Helper()
	conn, err := amqp.Dial(o.URL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	channel, err := conn.Channel()
	require.NoError(t, err)
	require.NoError(t, channel.Confirm(false))
	require.NoError(t, channel.Qos(8, 0, false))
	deliveries, err := channel.Consume(o.Prefix+".commands."+o.Queue, "", false, false, false, false, nil)
	require.NoError(t, err)
	m := &memory{flaws: f, stored: map[string]string{}, gone: map[string]bool{}}
	var work sync.WaitGroup
	work.Go(func() {
		for d := range deliveries {
			work.Go(func() { m.handle(conn, channel, d) })
		}
	})
	t.Cleanup(func() {
		_ = conn.Close()
		work.Wait()
	})
}

func (m *memory) handle(conn *amqp.Connection, channel *amqp.Channel, d amqp.Delivery) {
	deadline, _ := time.Parse(time.RFC3339Nano, fmt.Sprint(d.Headers["saga-deadline"]))
	switch {
	case time.Now().After(deadline) && m.flaws.stale:
		_ = conn.Close() // it dies
		return
	case time.Now().After(deadline):
		_ = d.Ack(false)
		return
	case !json.Valid(d.Body):
		_ = d.Nack(false, m.flaws.requeues)
		return
	case m.flaws.silent:
		_ = d.Ack(false)
		return
	}
	answer := amqp.Publishing{CorrelationId: d.CorrelationId, ContentType: "application/json", DeliveryMode: amqp.Persistent, Body: []byte(m.reply(d))}
	if m.flaws.correlation {
		answer.CorrelationId = "x" + d.CorrelationId
	}
	if m.flaws.body {
		answer.Body = []byte(`{"status":"ok"}`)
	}
	if m.flaws.transient {
		answer.DeliveryMode = amqp.Transient
	}
	for {
		confirm, err := channel.PublishWithDeferredConfirm("", d.ReplyTo, false, false, answer)
		if err != nil {
			return
		}
		if m.flaws.early || confirm.Wait() {
			_ = d.Ack(false)
			return
		}
		if conn.IsClosed() {
			return
		}
		<-time.After(100 * time.Millisecond)
	}
}

// grades returns the grades by point.
func grades(t *testing.T, report workercheck.Report) map[string]workercheck.Grade {
	t.Helper()
	found := make(map[string]workercheck.Grade)
	for _, v := range report.Verdicts {
		t.Logf("%-28s %-8s %s | %s", v.Point, v.Grade, v.Seen, v.Advice)
		found[v.Point] = v.Grade
		if v.Grade != workercheck.Pass {
			assert.NotEmpty(t, v.Advice, v.Point)
		}
	}
	return found
}
