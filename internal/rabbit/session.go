package rabbit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	// lateLook is how often late messages are checked.
	lateLook = 20 * time.Millisecond
	// maxAge is how long an unconfirmed message may stay in the library's memory before the channel is replaced.
	maxAge = 30 * time.Second
)

// errAged means that a channel was replaced because some messages were never confirmed.
var errAged = errors.New("messages are not confirmed, opening a new channel")

// session is one channel in confirm mode, until it is lost. Confirms are processed for each message and in any order: a
// queue that does not confirm delays no other.
type session struct {
	conn    *connection
	channel *amqp.Channel
	config  Config
	turn    chan struct{} // a semaphore: has a value while a sender publishes
	window  chan struct{} // a semaphore: has a value for each message without a receipt
	writes  atomic.Uint64 // odd while a message is being written
	gone    chan struct{} // closed when the channel is lost and every message has its receipt
	stale   wait.Signal   // fires when the broker refuses on this channel what it takes on another
	added   wait.Signal   // fires when a message has become late
	// slowQueues is len(slow), readable without the lock.
	slowQueues atomic.Int64

	// The listeners exist before the first message: otherwise its return could be missed.
	closed  chan *amqp.Error
	returns chan amqp.Return

	mu        sync.Mutex
	sent      uint64               // messages so far
	flights   map[*flight]struct{} // messages without a receipt
	late      []*flight            // messages whose senders no longer wait for their confirms, with or without a receipt
	slow      map[string]int       // number of late messages without a receipt, by queue
	confirmed time.Time            // sending time of the last message that the broker confirmed
	lost      error                // why the session has ended
}

// openSession opens a channel in confirm mode and checks that the broker accepts messages.
func openSession(ctx context.Context, conn *connection, config Config, names names) (*session, error) {
	channel, err := conn.channel()
	if err != nil {
		return nil, err
	}
	if err := conn.within(func() error { return channel.Confirm(false) }); err != nil {
		return nil, fmt.Errorf("ask for confirms: %w", err)
	}
	window := windows * config.Window
	s := &session{
		conn: conn, channel: channel, config: config, turn: make(chan struct{}, 1), window: make(chan struct{}, window),
		gone: make(chan struct{}), added: wait.NewSignal(), stale: wait.NewSignal(),
		flights: make(map[*flight]struct{}), slow: make(map[string]int),
		closed:  channel.NotifyClose(make(chan *amqp.Error, 1)),
		returns: channel.NotifyReturn(make(chan amqp.Return, 2*window)),
	}
	if err := s.probe(ctx, names.probe(config.WorkerOnly)); err != nil {
		if !channel.IsClosed() {
			_ = conn.within(channel.Close)
		}
		if fault := <-s.closed; fault != nil {
			err = fmt.Errorf("channel lost: %w", fault)
		}
		return nil, s.end(err)
	}
	return s, nil
}

// probe publishes a message that no queue gets, and awaits its confirm. A broker that is out of memory or disk reports
// that only to a publishing connection, and may deliver unread messages much later.
func (s *session) probe(ctx context.Context, to outgoing) error {
	ctx, cancel := context.WithTimeout(ctx, s.config.Confirm)
	defer cancel()
	receipts := make(chan wire.Receipt, 1) // a session that ends meanwhile settles the probe from its own goroutine
	f := s.send(ctx, []outgoing{to}, func(_ int, r wire.Receipt) { receipts <- r })[0]
	if f != nil {
		select {
		case <-f.confirm.Done():
			s.receive([]*flight{f})
		case <-ctx.Done():
			s.settle(f, s.overdue())
		}
	}
	var receipt wire.Receipt
	select {
	case receipt = <-receipts:
	default: // the channel is lost
	}
	switch {
	case receipt.Outcome == wire.Returned || receipt.Outcome == wire.Confirmed:
		return nil
	case receipt.Reason == "":
		return errors.New("the broker closed the channel of a first message")
	default:
		return fmt.Errorf("the broker does not accept messages: %s", receipt.Reason)
	}
}

func (s *session) blockedError() error {
	if reason := s.conn.whyBlocked(); reason != "" {
		return blockedError{reason}
	}
	return nil
}

// serve processes late messages until the channel is lost, and returns the reason.
func (s *session) serve() error {
	look := time.NewTicker(lateLook)
	look.Stop()
	defer look.Stop()
	for {
		select {
		case <-s.added.C():
			look.Reset(lateLook)
		case now := <-look.C:
			waiting, aged := s.lookAtLate(now)
			if aged {
				_ = s.conn.within(s.channel.Close)
				return s.end(errAged)
			}
			if !waiting {
				look.Stop()
			}
		case <-s.stale.C():
			_ = s.conn.within(s.channel.Close)
			return s.end(errStale)
		case fault := <-s.closed:
			if fault != nil {
				return s.end(fmt.Errorf("channel lost: %w", fault))
			}
			return s.end(errors.New("channel closed"))
		}
	}
}

// lookAtLate settles late messages that were confirmed meanwhile, or are overdue.
func (s *session) lookAtLate(now time.Time) (waiting, aged bool) {
	s.mu.Lock()
	late := s.late
	s.late = nil
	s.mu.Unlock()
	kept := late[:0]
	for _, f := range late {
		if f.answered() {
			s.receive([]*flight{f})
			continue
		}
		kept = append(kept, f)
		switch age := now.Sub(f.since); {
		case age > maxAge:
			aged = true
		case age > s.config.Confirm:
			s.settle(f, s.overdue())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = append(kept, s.late...)
	return len(s.late) > 0, aged
}

// overdue is the receipt of a message that was not confirmed in time. On a blocked connection that says nothing about
// the queue.
func (s *session) overdue() wire.Receipt {
	if err := s.blockedError(); err != nil {
		return unconfirmed(err)
	}
	return wire.Receipt{Outcome: wire.NotConfirmed, Reason: errNoConfirm.Error()}
}

// end settles every message without a receipt.
func (s *session) end(reason error) error {
	s.mu.Lock()
	s.lost = reason
	flights := s.flights
	s.flights, s.late = nil, nil
	open := make([]*flight, 0, len(flights))
	for f := range flights {
		if !f.suspect(reason) {
			open = append(open, f)
		}
	}
	s.mu.Unlock()
	for _, f := range open {
		f.settle(unconfirmed(reason))
	}
	close(s.gone)
	return reason
}

// lastConfirm returns the sending time of the last confirmed message.
func (s *session) lastConfirm() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.confirmed
}

func unconfirmed(reason error) wire.Receipt {
	return wire.Receipt{Outcome: wire.Unconfirmed, Reason: reason.Error()}
}
