package rabbit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// consumerTag names the only consumer of a channel.
const consumerTag = "orchestrator"

// consumer describes what is consumed and how.
type consumer struct {
	queue    string
	wanted   int           // maximum of unsettled messages
	prefetch int           // the current maximum: fewer while messages are large
	renew    time.Duration // time without a message after which it subscribes again
	grace    time.Duration // how long to wait at the end for unsettled messages; 0: no limit
	priority int32         // the broker prefers the consumer of the queue with the highest one that takes more; 0: none
	ranks    *ranks        // chooses the priority of each subscription; nil: it stays
	handle   func(message wire.Message, settle func(verdict))
	inOrder  bool          // the messages that are unsettled at the end come first for the next consumer; takes one at a time
	declare  []declaration // what must exist first, made again with each subscription
}

// subscription is one channel with one consumer, until it is lost.
type subscription struct {
	consumer
	conn       *connection
	channel    *amqp.Channel
	ledger     *ledger
	deliveries <-chan amqp.Delivery
	closed     chan *amqp.Error
	givenBack  bool // a message, so that it is delivered again
}

func subscribe(conn *connection, c consumer) (*subscription, error) {
	channel, err := conn.channel()
	if err != nil {
		return nil, err
	}
	conn.limits.restart()
	s := &subscription{consumer: c, conn: conn, channel: channel, ledger: newLedger(conn.limits)}
	s.closed = channel.NotifyClose(make(chan *amqp.Error, 1))
	err = conn.within(func() (err error) {
		if err = channel.Qos(c.prefetch, 0, false); err != nil {
			return err
		}
		s.deliveries, err = channel.Consume(c.queue, consumerTag, false, false, false, false, c.arguments())
		return err
	})
	if err != nil {
		_ = conn.within(channel.Close)
		return nil, fmt.Errorf("consume %s: %w", c.queue, err)
	}
	return s, nil
}

// arguments returns the arguments of the consumer.
func (c *consumer) arguments() amqp.Table {
	if c.priority == 0 {
		return nil
	}
	return amqp.Table{"x-priority": c.priority}
}

// run dispatches deliveries until the subscription is lost, or ctx has ended and all is settled. It returns the reason.
func (s *subscription) run(ctx context.Context) error {
	var dispatch sync.WaitGroup
	ended := make(chan struct{})
	dispatch.Go(func() {
		defer close(ended)
		s.dispatch(ctx)
	})
	err := s.settleUntil(ctx, ended)
	s.ledger.close()
	_ = s.conn.within(s.channel.Close) // unsettled messages are delivered again
	dispatch.Wait()
	if fault := <-s.closed; fault != nil {
		return fmt.Errorf("consume %s: %w", s.queue, fault)
	}
	return err
}

// dispatch ends when the library closes the deliveries: the connection, the channel or the consumer is lost. Deleting a
// queue cancels the consumer but leaves the channel open.
func (s *subscription) dispatch(ctx context.Context) {
	for d := range s.deliveries {
		if ctx.Err() != nil {
			continue // delivered again after the channel's end
		}
		s.ledger.hand(d.DeliveryTag)
		tag, size := d.DeliveryTag, len(d.Body)
		s.handle(incoming(s.queue, &d), func(v verdict) { s.ledger.settle(tag, v, size) })
	}
}

// Reasons to end a subscription. All but the first end a working one.
var (
	errCancelled = errors.New("the broker has cancelled the consumer")
	errQuiet     = errors.New("no message for a while")
	errCrowded   = errors.New("the messages are too large to take so many at a time")
	errRoom      = errors.New("there is room for more messages at a time")
	errGivenBack = errors.New("a message was given back for another consumer")
)

// settleUntil sends settlements to the broker until the subscription ends.
func (s *subscription) settleUntil(ctx context.Context, ended <-chan struct{}) error {
	renewal := time.NewTicker(s.renew)
	defer renewal.Stop()
	patience := newPatience()
	defer patience.end()
	var before uint64
	crowded := false // since the last renewal
	for {
		select {
		case <-s.ledger.wake.C():
			if !s.ledger.pressing(max(1, s.prefetch/4)) {
				patience.begin()
				continue
			}
			wait.Yield()
			if err := s.settleDue(); err != nil {
				return err
			}
			if s.ranks.yields(s.givenBack, s.priority) {
				return errGivenBack // what is unsettled may take long, and is delivered again
			}
			patience.end()
		case <-patience.over():
			patience.end()
			if err := s.settleDue(); err != nil {
				return err
			}
		case <-ended:
			return errors.Join(s.settleDue(), fmt.Errorf("consume %s: %w", s.queue, errCancelled))
		case <-s.conn.limits.crowded.C():
			if s.prefetch > leastPrefetch {
				return cmp.Or(s.finish(ended), errCrowded)
			}
			crowded = true
		case <-renewal.C:
			last, unsettled := s.ledger.count()
			if last == before && unsettled == 0 {
				return cmp.Or(s.finish(ended), errQuiet)
			}
			if s.prefetch < s.wanted && !crowded {
				return cmp.Or(s.finish(ended), errRoom)
			}
			before, crowded = last, false
		case <-ctx.Done():
			return s.finish(ended)
		}
	}
}

// finish cancels the consumer and waits for unsettled messages.
func (s *subscription) finish(ended <-chan struct{}) error {
	if s.inOrder {
		return s.finishInOrder(ended)
	}
	if err := s.conn.within(func() error { return s.channel.Cancel(consumerTag, false) }); err != nil {
		return fmt.Errorf("cancel the consumer: %w", err)
	}
	lost := s.conn.gone
	var patience <-chan time.Time
	if s.grace > 0 {
		timer := time.NewTimer(s.grace)
		defer timer.Stop()
		patience = timer.C
	}
	for {
		if err := s.settleDue(); err != nil {
			return err
		}
		if _, unsettled := s.ledger.count(); ended == nil && unsettled == 0 {
			return s.settleDue()
		}
		select {
		case <-s.ledger.wake.C():
		case <-ended:
			ended = nil
		case <-lost:
			return s.conn.loss()
		case <-patience:
			return nil
		}
	}
}

// finishInOrder waits for unsettled messages and leaves the consumer to the end of the channel. A cancelled consumer keeps
// its unsettled messages until then, and the next consumer would get later ones first.
func (s *subscription) finishInOrder(ended <-chan struct{}) error {
	for {
		if err := s.settleDue(); err != nil {
			return err
		}
		if _, unsettled := s.ledger.count(); unsettled == 0 {
			return s.settleDue()
		}
		select {
		case <-s.ledger.wake.C():
		case <-ended:
			return errors.Join(s.settleDue(), errCancelled)
		case <-s.conn.gone:
			return s.conn.loss()
		}
	}
}

func (s *subscription) settleDue() error {
	failpoint.Reach("rabbit/acknowledging")
	o := s.ledger.take()
	s.conn.socket.hold()
	defer func() { // after a failed write, the broker and the ledger disagree until the connection ends
		if s.conn.socket.release() != nil {
			s.conn.sever()
		}
	}()
	for _, one := range o.single {
		s.givenBack = s.givenBack || one.verdict == requeue
		if err := s.settleOne(one); err != nil {
			return fmt.Errorf("settle a message of %s: %w", s.queue, err)
		}
	}
	if o.upTo > 0 {
		if err := s.channel.Ack(o.upTo, true); err != nil {
			return fmt.Errorf("acknowledge messages of %s: %w", s.queue, err)
		}
	}
	return nil
}

func (s *subscription) settleOne(one settlement) error {
	switch one.verdict {
	case ack:
		return s.channel.Ack(one.tag, false)
	case leave:
		return nil
	}
	return s.channel.Nack(one.tag, false, one.verdict == requeue)
}
