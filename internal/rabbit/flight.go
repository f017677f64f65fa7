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
	queue    string // its destination: exchange and key
	since    time.Time
	confirm  *amqp.DeferredConfirmation
	returned string // why the broker returned it; guarded by the session
	settle   func(wire.Receipt)
	// awaited means that the sender still waits, and can publish the message alone if the channel is lost over it.
	// Guarded by the session.
	awaited bool
	written bool // guarded by the session
	// suspected means that the channel may have been lost over this message. It is set before gone is closed.
	suspected bool
}

// answered reports whether the broker has confirmed or refused the message, or the channel is lost.
func (f *flight) answered() bool {
	select {
	case <-f.confirm.Done():
		return true
	default:
		return false
	}
}

// suspect withholds the receipt of a message that its sender will publish alone.
func (f *flight) suspect(reason error) bool {
	f.suspected = f.awaited && f.written && overOneMessage(reason)
	return f.suspected
}

// overOneMessage reports whether one message may have caused the loss of a channel or a connection.
func overOneMessage(reason error) bool {
	var said *amqp.Error
	return errors.As(reason, &said) && said.Server && said.Code != amqp.ConnectionForced && said.Code != amqp.NotFound
}

// receive processes the broker's answers to these messages.
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

// receipt turns the broker's answer into a receipt. For a lost channel the library reports every message as refused;
// the session's end settles those.
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

// settle gives a message its receipt. The first one counts.
func (s *session) settle(f *flight, receipt wire.Receipt) {
	s.mu.Lock()
	open := s.close(f)
	s.mu.Unlock()
	if open {
		<-s.window
		f.settle(receipt)
	}
}

// close ends the wait for a message's receipt. It returns false if the wait had already ended.
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

// letGo leaves late messages to the session.
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

// takeReturns marks returned messages. The library delivers a return before the confirm of the same message, so a
// confirm counts only after all pending returns were processed. A return names its message by id only.
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

// noteReturn marks the oldest message with this id: returns come in the order of publishing.
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
