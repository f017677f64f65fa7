package workercheck

import (
	"context"
	"errors"
	"fmt"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	dialPatience = 10 * time.Second
	// maxKept bounds the copies of dead letters that wait in the check's own queue.
	maxKept = 1000
	// look is the interval of looks at what the broker does not report by itself.
	look = 50 * time.Millisecond
)

// conversation talks to a worker through the broker.
type conversation struct {
	Options
	conn    *amqp.Connection
	channel *amqp.Channel
	returns chan amqp.Return
	replyTo string
	replies <-chan amqp.Delivery
	dead    <-chan amqp.Delivery // copies of dead letters; nil: the orchestrator has declared no exchange for them
	lost    error                // the connection ended

	got    map[string][]amqp.Delivery // replies by correlation id
	sent   map[string]bool            // correlation ids
	strays []amqp.Delivery            // replies to no command of the check
	died   map[string]string          // why a message became a dead letter, by message id
}

func connect(ctx context.Context, o Options) (*conversation, error) {
	conn, err := amqp.DialConfig(o.URL, amqp.Config{Dial: rabbit.Dial(ctx, dialPatience)})
	if err != nil {
		return nil, fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	c := &conversation{
		Options: o, conn: conn, returns: make(chan amqp.Return, maxKept),
		got: make(map[string][]amqp.Delivery), sent: make(map[string]bool), died: make(map[string]string),
	}
	if err := c.open(ctx); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *conversation) close() { _ = c.conn.Close() } // the broker deletes the queues, also after an error

// open declares the queue of the replies.
func (c *conversation) open(ctx context.Context) error {
	if _, err := c.inspect(); err != nil {
		return fmt.Errorf("queue %s: %w; register a definition that names it, or check the queue and the prefix", c.worker(), err)
	}
	var err error
	if c.channel, err = c.conn.Channel(); err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	if err := c.channel.Confirm(false); err != nil {
		return fmt.Errorf("ask for confirms: %w", err)
	}
	c.channel.NotifyReturn(c.returns)
	if c.replyTo, c.replies, err = consumeOwn(ctx, c.channel, nil); err != nil {
		return err
	}
	return c.watchDead(ctx)
}

// watchDead gets a copy of every dead letter, if the exchange exists.
func (c *conversation) watchDead(ctx context.Context) error {
	channel, err := c.conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	exchange := c.Prefix + ".dead"
	missing := channel.ExchangeDeclarePassive(exchange, amqp.ExchangeFanout, true, false, false, false, nil)
	if missing != nil { // the point about poison then sees less
		return nil //nolint:nilerr // a worker can be checked before the orchestrator has declared it
	}
	queue, dead, err := consumeOwn(ctx, channel, amqp.Table{"x-max-length": int64(maxKept)})
	if err != nil {
		return err
	}
	if err := channel.QueueBind(queue, "", exchange, false, nil); err != nil {
		return fmt.Errorf("watch the dead letters: %w", err)
	}
	c.dead = dead
	return nil
}

// consumeOwn declares a queue that the broker names, and deletes with the connection.
func consumeOwn(ctx context.Context, channel *amqp.Channel, arguments amqp.Table) (string, <-chan amqp.Delivery, error) {
	queue, err := channel.QueueDeclare("", false, true, true, false, arguments)
	if err != nil {
		return "", nil, fmt.Errorf("declare a queue for replies: %w", err)
	}
	deliveries, err := channel.ConsumeWithContext(ctx, queue.Name, "", true, true, false, false, nil)
	if err != nil {
		return "", nil, fmt.Errorf("consume replies: %w", err)
	}
	return queue.Name, deliveries, nil
}

// worker returns the name of the worker's queue.
func (c *conversation) worker() string { return c.Prefix + ".commands." + c.Queue }

// inspect returns the state of the worker's queue. A missing queue closes the channel, so each look has one of its own.
func (c *conversation) inspect() (amqp.Queue, error) {
	channel, err := c.conn.Channel()
	if err != nil {
		return amqp.Queue{}, fmt.Errorf("open a channel: %w", err)
	}
	defer channel.Close()
	found, err := channel.QueueDeclarePassive(c.worker(), true, false, false, false, nil)
	if said, is := errors.AsType[*amqp.Error](err); is {
		return found, errors.New(said.Reason)
	}
	return found, err
}

// consumed waits for a consumer of the worker's queue.
func (c *conversation) consumed(ctx context.Context) bool {
	return c.await(ctx, c.Timeout, func() bool {
		found, err := c.inspect()
		return err == nil && found.Consumers > 0
	})
}

// send publishes messages to the worker's queue without a pause, and then waits until the broker has all of them.
func (c *conversation) send(ctx context.Context, messages ...wire.Message) error {
	var confirms []*amqp.DeferredConfirmation
	for _, m := range messages {
		c.sent[m.CorrelationID] = true
		confirm, err := c.channel.PublishWithDeferredConfirmWithContext(ctx, "", c.worker(), true, false, amqp.Publishing{
			MessageId: m.MessageID, CorrelationId: m.CorrelationID, Type: m.Type, ReplyTo: m.ReplyTo, ContentType: m.ContentType,
			DeliveryMode: amqp.Persistent, Timestamp: m.Timestamp, Headers: amqp.Table(m.Headers), Body: m.Body,
		})
		if err != nil {
			c.lost = err
			return fmt.Errorf("publish: %w", err)
		}
		confirms = append(confirms, confirm)
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	for _, confirm := range confirms {
		if taken, err := confirm.WaitContext(ctx); err != nil || !taken {
			return errors.New("the broker did not take the command")
		}
	}
	select {
	case <-c.returns:
		return errors.New("the queue is gone")
	default:
		return nil
	}
}

// await receives what the broker delivers until done reports true. It returns false when time is up.
func (c *conversation) await(ctx context.Context, patience time.Duration, done func() bool) bool {
	end := time.NewTimer(patience)
	defer end.Stop()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for !done() {
		select {
		case d, open := <-c.replies:
			if !open {
				c.lost = amqp.ErrClosed
				return false
			}
			c.receive(d)
		case d, open := <-c.dead:
			if !open {
				c.dead = nil
				continue
			}
			reason, _ := d.Headers["x-first-death-reason"].(string)
			c.died[d.MessageId] = reason
		case <-tick.C:
		case <-end.C:
			return false
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (c *conversation) receive(d amqp.Delivery) {
	if !c.sent[d.CorrelationId] {
		if len(c.strays) < maxKept {
			c.strays = append(c.strays, d)
		}
		return
	}
	c.got[d.CorrelationId] = append(c.got[d.CorrelationId], d)
}
