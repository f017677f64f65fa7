package workers

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Each command is delivered one to five times. The copies after the first two come late, some after the saga's end.
const (
	maxCopies = 5
	latest    = 3 * time.Second
)

// forwarder takes the commands of the orchestrator's prefix and delivers each several times under the workers' prefix.
type forwarder struct {
	conn     *amqp.Connection
	from, to string

	mu       sync.Mutex
	channel  *amqp.Channel // to publish
	late     sync.WaitGroup
	commands atomic.Int64
	copies   atomic.Int64
	failure  atomic.Pointer[error]
}

func newForwarder(t *testing.T, url, from, to string, queues ...string) *forwarder {
	t.Helper()
	conn, err := amqp.Dial(url)
	require.NoError(t, err)
	f := &forwarder{conn: conn, from: from, to: to}
	f.channel, err = conn.Channel()
	require.NoError(t, err)
	require.NoError(t, f.channel.Confirm(false))
	var work sync.WaitGroup
	for _, queue := range queues {
		channel, err := conn.Channel()
		require.NoError(t, err)
		require.NoError(t, channel.Qos(50, 0, false))
		deliveries, err := channel.Consume(from+".commands."+queue, "", false, false, false, false, nil)
		require.NoError(t, err)
		work.Go(func() {
			for d := range deliveries {
				f.forward(queue, d)
			}
		})
	}
	t.Cleanup(func() {
		f.late.Wait()
		assert.NoError(t, conn.Close())
		work.Wait()
		if failure := f.failure.Load(); failure != nil {
			t.Errorf("forward a command: %v", *failure)
		}
	})
	return f
}

// forward publishes the copies of a command. Their number depends on its id alone.
func (f *forwarder) forward(queue string, d amqp.Delivery) {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(d.MessageId))
	random := rand.New(rand.NewPCG(*seed, hash.Sum64()))
	copies := 1 + random.IntN(maxCopies)
	f.commands.Add(1)
	for i := range copies {
		if i < 2 {
			f.publish(queue, d)
			continue
		}
		f.late.Add(1)
		time.AfterFunc(time.Duration(random.Int64N(int64(latest))), func() {
			defer f.late.Done()
			f.publish(queue, d)
		})
	}
	_ = d.Ack(false) // the connection ends with the test
}

func (f *forwarder) publish(queue string, d amqp.Delivery) {
	f.mu.Lock()
	confirm, err := f.channel.PublishWithDeferredConfirmWithContext(context.Background(), "", f.to+".commands."+queue, true, false, amqp.Publishing{
		MessageId: d.MessageId, CorrelationId: d.CorrelationId, Type: d.Type, ReplyTo: d.ReplyTo, ContentType: d.ContentType,
		DeliveryMode: amqp.Persistent, Priority: d.Priority, Timestamp: d.Timestamp, Headers: d.Headers, Body: d.Body,
	})
	f.mu.Unlock()
	if err != nil {
		f.failure.Store(&err)
		return
	}
	confirm.Wait()
	f.copies.Add(1)
}

// drained reports whether all copies are out and no worker queue holds a message.
func (f *forwarder) drained(queues ...string) bool {
	channel, err := f.conn.Channel()
	if err != nil {
		return false
	}
	defer channel.Close()
	for _, queue := range queues {
		for _, prefix := range []string{f.from, f.to} {
			found, err := channel.QueueDeclarePassive(prefix+".commands."+queue, true, false, false, false, nil)
			if err != nil || found.Messages > 0 {
				return false
			}
		}
	}
	return true
}
