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

// receive takes what the broker said of messages: of those that were answered.
func (s *session) receive(answered []*flight) {
	type settled struct {
		flight  *flight
		receipt wire.Receipt
	}
	open := make([]settled, 0, len(answered))
	s.mu.Lock()
	s.takeReturns()
	for _, f := range answered {
		receipt, known := s.receipt(f)
		if known && s.close(f) {
			open = append(open, settled{f, receipt})
		}
	}
	s.mu.Unlock()
	for _, one := range open {
		<-s.window
		one.flight.settle(one.receipt)
	}
}

// receipt makes a receipt of the broker's answer. For a lost channel the library answers that no message was taken; the
// session's end gives those their receipts.
func (s *session) receipt(f *flight) (receipt wire.Receipt, known bool) {
	acked := f.confirm.Acked()
	if !acked && s.channel.IsClosed() {
		return receipt, false
	}
	s.confirmed = f.since
	switch {
	case !acked:
		return wire.Receipt{Outcome: wire.Nacked, Reason: "RabbitMQ refused the message (nack)"}, true
	case f.returned != "":
		return wire.Receipt{Outcome: wire.Returned, Reason: f.returned}, true
	default:
		return wire.Receipt{Outcome: wire.Confirmed}, true
	}
}

// settle gives a message its receipt; the first one stands.
func (s *session) settle(f *flight, receipt wire.Receipt) {
	s.mu.Lock()
	open := s.close(f)
	s.mu.Unlock()
	if open {
		<-s.window
		f.settle(receipt)
	}
}

// close ends the wait for a message's receipt; it is false if that had ended before.
func (s *session) close(f *flight) bool {
	if _, open := s.flights[f]; !open {
		return false
	}
	delete(s.flights, f)
	if f.awaited {
		return true
	}
	if s.slow[f.queue]--; s.slow[f.queue] == 0 {
		delete(s.slow, f.queue)
	}
	s.slowQueues.Store(int64(len(s.slow)))
	return true
}

// letGo leaves messages whose confirms are late to the session.
func (s *session) letGo(late []*flight) {
	if len(late) == 0 {
		return
	}
	s.mu.Lock()
	for _, f := range late {
		if _, open := s.flights[f]; open {
			f.awaited = false
			s.slow[f.queue]++
			s.late = append(s.late, f)
		}
	}
	s.slowQueues.Store(int64(len(s.slow)))
	s.mu.Unlock()
	s.added.Notify()
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
