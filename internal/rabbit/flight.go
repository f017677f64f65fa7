package rabbit

import (
	"errors"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// flight is a message that was sent and has no receipt yet.
type flight struct {
	number   uint64 // in the order of sending
	id       string
	queue    string // where it goes to: exchange and key
	since    time.Time
	confirm  *amqp.DeferredConfirmation
	returned string // why the broker returned it; guarded by the session
	settle   func(wire.Receipt)
	// awaited: its sender still waits, so that it can be published again by itself should the channel be lost over it.
	// Guarded by the session.
	awaited bool
	written bool // guarded by the session
	// suspected is set by the session's end, before gone is closed: the channel may have been lost over this message.
	suspected bool
}

// answered reports whether the broker has confirmed the message, one way or the other, or the channel is lost.
func (f *flight) answered() bool {
	select {
	case <-f.confirm.Done():
		return true
	default:
		return false
	}
}

// suspect keeps the receipt of a message back that its sender publishes again by itself.
func (f *flight) suspect(reason error) bool {
	f.suspected = f.awaited && f.written && overOneMessage(reason)
	return f.suspected
}

// overOneMessage reports whether a channel or a connection may have been lost because of what one message is like.
func overOneMessage(reason error) bool {
	var said *amqp.Error
	return errors.As(reason, &said) && said.Server && said.Code != amqp.ConnectionForced && said.Code != amqp.NotFound
}

// receive takes what the broker said of a message: of one that was answered.
func (s *session) receive(f *flight) {
	acked := f.confirm.Acked()
	s.mu.Lock()
	s.takeReturns()
	returned := f.returned
	if s.lost == nil && (acked || !s.channel.IsClosed()) {
		s.confirmed = time.Now()
	}
	s.mu.Unlock()
	switch {
	case !acked && s.channel.IsClosed():
		// The library answers so for every message of a lost channel. end gives it its receipt.
	case !acked:
		s.settle(f, wire.Receipt{Outcome: wire.Nacked, Reason: "RabbitMQ refused the message (nack)"})
	case returned != "":
		s.settle(f, wire.Receipt{Outcome: wire.Returned, Reason: returned})
	default:
		s.settle(f, wire.Receipt{Outcome: wire.Confirmed})
	}
}

// settle gives a message its receipt; the first one stands.
func (s *session) settle(f *flight, receipt wire.Receipt) {
	s.mu.Lock()
	_, open := s.flights[f]
	delete(s.flights, f)
	if open && !f.awaited {
		s.slow[f.queue]--
		if s.slow[f.queue] == 0 {
			delete(s.slow, f.queue)
		}
	}
	s.mu.Unlock()
	if open {
		<-s.window
		f.settle(receipt)
	}
}

// letGo leaves a message whose confirm is late to the session.
func (s *session) letGo(f *flight) {
	s.mu.Lock()
	_, open := s.flights[f]
	if open {
		f.awaited = false
		s.slow[f.queue]++
		s.late = append(s.late, f)
	}
	s.mu.Unlock()
	if open {
		notify(s.added)
	}
}

// isSlow reports whether messages to a queue wait for confirms that are late.
func (s *session) isSlow(queue string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slow[queue] > 0
}

// takeReturns marks the messages that the broker has returned. The library hands a return over before the confirm of
// the same message, so a confirm is believed only after all returns that are there were taken. A return names its
// message by id only.
func (s *session) takeReturns() {
	for {
		select {
		case r, open := <-s.returns:
			if !open {
				return
			}
			s.noteReturn(r)
		default:
			return
		}
	}
}

// noteReturn marks the message that was sent first under that id: returns come in the order of publishing.
func (s *session) noteReturn(r amqp.Return) {
	var first *flight
	for f := range s.flights {
		if f.id == r.MessageId && f.returned == "" && (first == nil || f.number < first.number) {
			first = f
		}
	}
	if first != nil {
		first.returned = returnReason(r)
	}
}
