package rabbit_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// RabbitMQ 3.10 ends dead-lettering for the whole node over a message that came with such a header and is rejected, or is
// delivered too often. A worker of the SDK keeps it from both.
func TestAWorkerDeadLettersWhatTheBrokerCannot(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	b := connect(t, config, "payments")
	channel := plainChannel(t, config.URL)
	require.NoError(t, channel.Confirm(false))
	own := amqp.Table{"queue": "q", "reason": "rejected", "count": int64(1), "exchange": "", "routing-keys": []any{"q"}}
	odd := []any{
		"text", int64(1), true, nil,
		amqp.Table{"queue": "q"},
		[]any{"nope"},
		[]any{int64(1)},
		[]any{[]any{own}},
		[]any{own, "nope"},
		[]any{amqp.Table{}},
		[]any{amqp.Table{"queue": "q"}},
		[]any{amqp.Table{"reason": "rejected", "queue": int64(1)}},
		[]any{amqp.Table{"queue": "q", "reason": "rejected", "count": "1"}},
		[]any{amqp.Table{"queue": "q", "reason": "rejected", "count": 1.5}},
	}
	send := func(id string, deaths any) {
		confirm, err := channel.PublishWithDeferredConfirm(config.Prefix+".commands", "payments", true, false, amqp.Publishing{
			MessageId: id, CorrelationId: id, Headers: amqp.Table{"x-death": deaths, "saga-id": "s"}, Body: []byte("{}"),
		})
		require.NoError(t, err)
		require.True(t, confirm.Wait())
	}
	for i, deaths := range odd {
		send(fmt.Sprintf("odd-%d", i), deaths)
	}
	send("own", []any{own})
	send("none", []any{})
	work(t, config, func(m wire.Message) wire.Answer {
		assert.Contains(t, []string{"own", "none"}, m.MessageID, "no handler gets it")
		return wire.Answer{Settlement: wire.Rejected}
	})
	var dead inbox
	background(t, func(ctx context.Context) { b.ConsumeDead(ctx, dead.addAndAck) })
	messages, _ := dead.await(t, len(odd)+2)
	for _, m := range messages {
		assert.Equal(t, wire.DiedInCommands, m.DiedIn, m.MessageID)
		assert.Equal(t, "rejected", m.Headers["x-first-death-reason"], m.MessageID)
		assert.NotContains(t, m.Headers, "x-death", m.MessageID)
		assert.Equal(t, "s", m.Headers["saga-id"])
		assert.Equal(t, m.MessageID, m.CorrelationID)
		assert.Equal(t, "{}", string(m.Body))
	}
}

// logged keeps a log for a test.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(line)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// What cannot be read of the headers may be a header x-death, but that is not known.
func TestAWorkerSaysWhyItDeadLettersAMessageItself(t *testing.T) {
	t.Parallel()
	nested := []any{"x"}
	for range 100 {
		nested = []any{nested}
	}
	for name, c := range map[string]struct {
		headers amqp.Table
		says    string
		damage  bool
	}{
		"nested headers":   {amqp.Table{"odd": nested}, "some of its headers cannot be read", true},
		"a header x-death": {amqp.Table{"x-death": "text"}, "it came with a header x-death of its own", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := corner(t, "payments")
			b := connect(t, config, "payments")
			channel := plainChannel(t, config.URL)
			require.NoError(t, channel.Confirm(false))
			confirm, err := channel.PublishWithDeferredConfirm(config.Prefix+".commands", "payments", true, false, amqp.Publishing{
				MessageId: "odd", Headers: c.headers, Body: []byte("{}"),
			})
			require.NoError(t, err)
			require.True(t, confirm.Wait())
			log := &logged{}
			config.Logger = slog.New(slog.NewTextHandler(log, nil))
			stop := work(t, config, done)
			var dead inbox
			background(t, func(ctx context.Context) { b.ConsumeDead(ctx, dead.addAndAck) })
			messages, _ := dead.await(t, 1)
			assert.Equal(t, c.damage, messages[0].Damage != "", "the dead letter says what is wrong with it")
			stop()
			assert.Contains(t, log.String(), "dead-lettered a message for the broker")
			assert.Contains(t, log.String(), c.says)
			assert.Equal(t, !c.damage, bytes.Contains([]byte(log.String()), []byte("came with a header x-death")))
		})
	}
}
