package rabbit

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// session is one channel in confirm mode, until it is lost.
type session struct {
	conn    *connection
	channel *amqp.Channel
	turn    chan struct{} // holds an element while somebody publishes
	window  chan struct{} // holds an element for every message that is not confirmed
	writes  atomic.Uint64 // odd while a message is being written
	proven  atomic.Bool   // the broker has confirmed something
	gone    chan struct{} // closed when the channel is lost

	// What the library tells. The listeners are there before the first message, or its confirm would go unheard.
	closed   chan *amqp.Error
	returns  chan amqp.Return
	confirms chan amqp.Confirmation

	mu      sync.Mutex
	tag     uint64             // of the message published last
	low     uint64             // no message below it is waiting
	flights map[uint64]*flight // messages that are not confirmed, by tag
	lost    error              // why the session is over
}

// flight is a message that waits for its confirm.
type flight struct {
	id       string
	returned string // why the broker returned it
	batch    *batch
	index    int
}

// openSession opens a channel and puts it in confirm mode.
func openSession(conn *connection, window int) (*session, error) {
	channel, err := conn.channel()
	if err != nil {
		return nil, err
	}
	if err := conn.within(func() error { return channel.Confirm(false) }); err != nil {
		return nil, fmt.Errorf("ask for confirms: %w", err)
	}
	return &session{
		conn: conn, channel: channel, turn: make(chan struct{}, 1), window: make(chan struct{}, window),
		gone: make(chan struct{}), low: 1, flights: make(map[uint64]*flight),
		closed:   channel.NotifyClose(make(chan *amqp.Error, 1)),
		returns:  channel.NotifyReturn(make(chan amqp.Return, window)),
		confirms: channel.NotifyPublish(make(chan amqp.Confirmation, window)),
	}, nil
}

// collect takes what the broker says of the messages until the channel is lost, and returns why it was.
func (s *session) collect() error {
	var returns <-chan amqp.Return = s.returns
	for open := true; open; {
		select {
		case r, more := <-returns:
			if !more {
				returns = nil
				continue
			}
			s.noteReturn(r)
		case c, more := <-s.confirms:
			if open = more; !more {
				continue
			}
			// The return of a message comes before its confirm, and is in the listener's buffer by now: a confirm is
			// believed only after all returns that are there have been read.
			returns = s.drain(returns)
			s.confirm(c)
		}
	}
	if fault := <-s.closed; fault != nil {
		return s.end(fmt.Errorf("channel lost: %w", fault))
	}
	return s.end(errors.New("channel closed"))
}

func (s *session) drain(returns <-chan amqp.Return) <-chan amqp.Return {
	for returns != nil {
		select {
		case r, more := <-returns:
			if !more {
				return nil
			}
			s.noteReturn(r)
		default:
			return returns
		}
	}
	return nil
}

// noteReturn finds the message by its id. Returns come in the order of publishing, so it is the first that is not marked.
func (s *session) noteReturn(r amqp.Return) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for tag := s.low; tag <= s.tag; tag++ {
		if f := s.flights[tag]; f != nil && f.id == r.MessageId && f.returned == "" {
			f.returned = fmt.Sprintf("%s (%d): no queue for key %q of exchange %q", r.ReplyText, r.ReplyCode, r.RoutingKey, r.Exchange)
			return
		}
	}
}

func (s *session) confirm(c amqp.Confirmation) {
	s.mu.Lock()
	f := s.flights[c.DeliveryTag]
	delete(s.flights, c.DeliveryTag)
	for s.low <= s.tag && s.flights[s.low] == nil {
		s.low++
	}
	s.mu.Unlock()
	if f == nil {
		return
	}
	s.proven.Store(true)
	<-s.window
	switch {
	case !c.Ack:
		f.batch.set(f.index, wire.Receipt{Outcome: wire.Unconfirmed, Reason: "RabbitMQ refused the message (nack)"})
	case f.returned != "":
		f.batch.set(f.index, wire.Receipt{Outcome: wire.Returned, Reason: f.returned})
	default:
		f.batch.set(f.index, wire.Receipt{Outcome: wire.Confirmed})
	}
}

// end answers all that wait.
func (s *session) end(reason error) error {
	s.mu.Lock()
	s.lost = reason
	flights := s.flights
	s.flights = nil
	s.mu.Unlock()
	close(s.gone)
	for _, f := range flights {
		f.batch.set(f.index, unconfirmed(reason))
	}
	return reason
}
