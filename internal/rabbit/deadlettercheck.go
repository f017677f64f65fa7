package rabbit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

const (
	// messageLife is the age at which the broker should dead-letter a check message. It is short, so that the queue is empty at nearly any time.
	messageLife = 10 * time.Millisecond
	// quietRounds is the number of rounds in a row without a check message's death after which dead-lettering counts as stopped.
	quietRounds = 2
	// suspicion is the number after which everything is declared again: the exchange or a binding may have been deleted.
	suspicion = 1
	// knownRounds is for how many rounds a result is valid.
	knownRounds = 4
	// maxWaiting bounds the queue of check messages. The broker refuses further ones once it dead-letters none.
	maxWaiting = 100
)

// errUnchecked means that it is unknown whether the broker dead-letters.
var errUnchecked = errors.New("dead-lettering is not checked")

// deadLetterCheck watches whether the broker dead-letters messages of quorum queues, which it may stop doing without a sign
// (ErrNoDeadLettering). In each round it sends a message that expires soon. A fanout exchange takes the dead ones to a queue of
// each replica, so the check messages of one show the state to all. The queue in which they die is never deleted, see
// CheckDeadLettering.
type deadLetterCheck struct {
	link   *link
	config Config
	names  names

	mu    sync.Mutex
	state error     // nil: the broker dead-letters
	at    time.Time // of state

	died    atomic.Bool // a check message has died since the round before
	reading sync.WaitGroup

	// Only run uses these.
	conn    *connection // that of the round before
	channel *amqp.Channel
	ended   chan struct{} // closed once channel delivers nothing any more
	refused bool          // the user of conn has too few rights
	sent    bool          // in the round before
	quiet   int           // rounds in a row after which no check message had died
}

func newDeadLetterCheck(link *link, config Config) *deadLetterCheck {
	return &deadLetterCheck{link: link, config: config, names: names{config.Prefix}, state: errUnchecked}
}

// run checks in intervals until ctx ends. It connects with the first check.
func (c *deadLetterCheck) run(ctx context.Context) {
	var linking sync.WaitGroup
	defer linking.Wait()
	defer c.reading.Wait()
	if wait.For(ctx, c.config.CheckEvery) {
		linking.Go(func() { c.link.run(ctx) })
	}
	for ctx.Err() == nil {
		conn, err := c.link.await(ctx)
		if err != nil {
			return
		}
		if conn != c.conn {
			c.conn, c.channel, c.refused, c.sent, c.quiet = conn, nil, false, false, 0
		}
		if !c.refused {
			c.note(c.round(ctx))
		}
		wait.For(ctx, c.config.CheckEvery)
	}
}

// note records the result of a round.
func (c *deadLetterCheck) note(found error) {
	c.mu.Lock()
	before := c.state
	c.state, c.at = found, time.Now()
	c.mu.Unlock()
	switch stopped, was := errors.Is(found, ErrNoDeadLettering), errors.Is(before, ErrNoDeadLettering); {
	case stopped && !was:
		c.link.log.Error("RabbitMQ has stopped dead-lettering messages, see docs/operations.md", "error", found)
	case was && found == nil:
		c.link.log.Info("RabbitMQ dead-letters messages again")
	}
}

// round looks whether check messages have died, and sends one.
func (c *deadLetterCheck) round(ctx context.Context) error {
	if reason := c.conn.whyBlocked(); reason != "" { // the broker would not answer
		return c.failed(blockedError{reason})
	}
	found := c.judge()
	if c.lost() || c.quiet == suspicion {
		if err := c.open(); err != nil {
			return c.failed(err)
		}
	}
	if err := c.send(ctx); err != nil {
		return c.failed(err)
	}
	return found
}

// lost reports whether dead check messages do not come any more because their channel or their queue is gone.
func (c *deadLetterCheck) lost() bool {
	select {
	case <-c.ended:
		return true
	default:
		return c.channel == nil || c.channel.IsClosed()
	}
}

// judge concludes from the check messages that have died since the round before.
func (c *deadLetterCheck) judge() error {
	switch {
	case c.died.Swap(false):
		c.quiet = 0
		return nil
	case c.sent:
		c.quiet++
	}
	if c.quiet >= quietRounds {
		return ErrNoDeadLettering
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// open declares what the check messages need, and consumes the dead ones on a new channel.
func (c *deadLetterCheck) open() error {
	if mismatch, fault := declareEach(c.conn, c.declarations()); mismatch != nil || fault != nil {
		return errors.Join(mismatch, fault) // in a queue with other properties check messages may live on
	}
	c.close()
	channel, err := c.conn.channel()
	if err != nil {
		return err
	}
	c.channel, c.ended = channel, make(chan struct{})
	deaths, err := c.subscribe(channel)
	if err == nil {
		c.reading.Go(func() { c.read(deaths, c.ended) })
	}
	return err
}

// subscribe consumes dead check messages from a queue that the broker deletes with the channel. RabbitMQ keeps a check message that was on its
// way there for three minutes, and dead-letters others meanwhile unless 32 are kept so.
func (c *deadLetterCheck) subscribe(channel *amqp.Channel) (deaths <-chan amqp.Delivery, err error) {
	name := c.names.checked() + "." + rand.Text()
	err = c.conn.within(func() (err error) {
		if _, err = channel.QueueDeclare(name, false, true, true, false, amqp.Table{amqp.QueueTypeArg: string(Classic)}); err != nil {
			return err
		}
		if err = channel.QueueBind(name, "", c.names.checked(), false, nil); err != nil {
			return err
		}
		if err = channel.Confirm(false); err != nil {
			return err
		}
		deaths, err = channel.Consume(name, "", true, true, false, false, nil)
		return err
	})
	return deaths, err
}

// read notes check messages that died until no more come.
func (c *deadLetterCheck) read(deaths <-chan amqp.Delivery, ended chan<- struct{}) {
	defer close(ended)
	for range deaths {
		c.died.Store(true)
	}
}

func (c *deadLetterCheck) close() {
	if c.channel != nil && !c.channel.IsClosed() {
		_ = c.conn.within(c.channel.Close)
	}
	c.channel = nil
}

// declarations are the queue in which check messages die, and the exchange of the dead ones.
func (c *deadLetterCheck) declarations() []declaration {
	return []declaration{
		exchange(c.names.checked(), amqp.ExchangeFanout),
		queue(c.names.check(), amqp.Table{
			amqp.QueueTypeArg: string(Quorum), amqp.QueueMessageTTLArg: messageLife.Milliseconds(), amqp.QueueMaxLenArg: int64(maxWaiting),
			deadExchangeArg: c.names.checked(), deadStrategyArg: deadAtLeastOnce, amqp.QueueOverflowArg: amqp.QueueOverflowRejectPublish,
		}),
	}
}

// send publishes a check message. The broker refuses one if the queue is full because none dies, so that counts as sent.
func (c *deadLetterCheck) send(ctx context.Context) error {
	var confirm *amqp.DeferredConfirmation
	err := c.conn.within(func() (err error) {
		if _, err = c.channel.QueueDeclarePassive(c.names.check(), true, false, false, false, nil); err != nil {
			return err
		}
		confirm, err = c.channel.PublishWithDeferredConfirm("", c.names.check(), false, false, amqp.Publishing{
			MessageId: "check", DeliveryMode: amqp.Persistent, Timestamp: time.Now(),
		})
		return err
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Confirm)
	defer cancel()
	_, err = confirm.WaitContext(ctx)
	c.sent = err == nil && !c.channel.IsClosed()
	return nil // a broker that is slow to confirm is not the matter here
}

// failed handles a round that could not be completed. A broker that has stopped dead-lettering refuses to declare a queue. A
// user without the rights to check is not tried again on this connection.
func (c *deadLetterCheck) failed(err error) error {
	c.sent, c.quiet = false, 0
	c.close()
	c.refused = is(err, amqp.AccessRefused)
	if is(err, amqp.InternalError) {
		return fmt.Errorf("%w: %w", ErrNoDeadLettering, err)
	}
	return fmt.Errorf("%w: %w", errUnchecked, err)
}
