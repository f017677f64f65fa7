package rabbit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	// writeMoment is how long a write may continue after the deadline of its batch.
	writeMoment = 50 * time.Millisecond
	// confirmPatience is how long a sender waits for the confirms of its batch. Later confirms are reported later.
	confirmPatience = 200 * time.Millisecond
	// windows limits the messages without a receipt, over all queues, as a multiple of Config.Window: a few queues that
	// do not confirm leave room for the others.
	windows = 4
)

var (
	errNoConfirm = errors.New("RabbitMQ did not confirm in time")
	errNotSent   = errors.New("not sent in time")
)

// publish sends messages and calls settle with the receipt of each, from this goroutine or the session's. It returns
// the indexes of the messages that may have caused the loss of the channel; these have no receipt yet.
func (s *session) publish(ctx context.Context, messages []outgoing, settle func(int, wire.Receipt)) (suspects []int) {
	flights := s.send(ctx, messages, settle)
	answered, late := s.await(ctx, flights)
	s.receive(answered)
	s.letGo(late)
	return s.suspects(flights)
}

// await waits briefly for the confirms of messages, except of queues that are already slow.
func (s *session) await(ctx context.Context, flights []*flight) (answered, late []*flight) {
	answered = make([]*flight, 0, len(flights))
	patience := time.NewTimer(confirmPatience)
	defer patience.Stop()
	waiting := true
	for _, f := range flights {
		if f == nil {
			continue
		}
		if waiting && !f.answered() && s.waiting(f.queue) == 0 {
			select {
			case <-f.confirm.Done():
			case <-patience.C:
				waiting = false
			case <-ctx.Done():
				waiting = false
			}
		}
		if f.answered() {
			answered = append(answered, f)
		} else {
			late = append(late, f)
		}
	}
	return answered, late
}

// suspects waits for the end of a lost session and returns the messages that may have caused it.
func (s *session) suspects(flights []*flight) (suspects []int) {
	if !s.channel.IsClosed() {
		return nil
	}
	<-s.gone
	for i, f := range flights {
		if f != nil && f.suspected {
			suspects = append(suspects, i)
		}
	}
	return suspects
}

// send writes messages without awaiting their confirms. A message that it does not send gets its receipt, and no
// flight.
//
// It holds the socket before its turn: a sender leaves the flush to the waiting ones, so that concurrent messages leave
// together.
func (s *session) send(ctx context.Context, messages []outgoing, settle func(int, wire.Receipt)) []*flight {
	flights := make([]*flight, len(messages))
	s.conn.socket.hold()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		for i := range messages {
			settle(i, unconfirmed(errNotSent))
		}
		stuck := time.AfterFunc(writeMoment, s.conn.sever)
		defer stuck.Stop()
		s.severOn(s.conn.socket.release())
		return flights
	}
	defer s.guard(ctx)()
	defer func() {
		s.writes.Add(1)
		s.severOn(s.conn.socket.release())
		s.writes.Add(1)
	}()
	now := time.Now()
	for i := range messages {
		if err := messages[i].check(); err != nil {
			settle(i, wire.Receipt{Outcome: wire.Refused, Reason: err.Error()})
			continue
		}
		var err error
		if flights[i], err = s.sendOne(ctx, &messages[i], now, func(r wire.Receipt) { settle(i, r) }); err != nil {
			settle(i, unconfirmed(err))
		}
	}
	return flights
}

func (s *session) sendOne(ctx context.Context, o *outgoing, now time.Time, settle func(wire.Receipt)) (*flight, error) {
	f := &flight{id: o.message.MessageId, queue: o.exchange + "/" + o.key, since: now, settle: settle, awaited: true}
	if waiting := s.waiting(f.queue); waiting >= s.config.Window {
		return nil, fmt.Errorf("%d messages to this queue wait for their confirms", waiting)
	}
	if err := s.enterWindow(ctx); err != nil {
		return nil, err
	}
	if err := s.note(f); err != nil {
		<-s.window
		return nil, err
	}
	if err := s.write(f, o); err != nil {
		s.settle(f, unconfirmed(err))
		return nil, nil //nolint:nilnil // its receipt was settled
	}
	return f, nil
}

// note registers a message before it is written: otherwise its return could be missed.
func (s *session) note(f *flight) error {
	if err := s.blockedError(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost != nil {
		return s.lost
	}
	s.sent++
	f.number = s.sent
	s.flights[f] = struct{}{}
	return nil
}

func (s *session) write(f *flight, o *outgoing) (err error) {
	s.writes.Add(1)
	f.confirm, err = s.channel.PublishWithDeferredConfirm(o.exchange, o.key, !o.optional, false, o.message)
	s.writes.Add(1)
	if err != nil {
		if !s.channel.IsClosed() {
			s.conn.sever() // the message may be half written
		}
		return fmt.Errorf("publish: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f.written = true
	return nil
}

// waiting returns how many late messages of a queue have no receipt.
func (s *session) waiting(queue string) int {
	if s.slowQueues.Load() == 0 {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slow[queue]
}

// enterWindow waits for room for one more message without a receipt. It flushes the socket first: unsent messages are
// never confirmed.
func (s *session) enterWindow(ctx context.Context) error {
	select {
	case s.window <- struct{}{}:
		return nil
	default:
	}
	s.writes.Add(1)
	s.severOn(s.conn.socket.flush())
	s.writes.Add(1)
	select {
	case s.window <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errNotSent
	case <-s.gone:
		return s.lost
	}
}

// severOn severs the connection after a failed write: the library believes that buffered messages were written.
func (s *session) severOn(err error) {
	if err != nil {
		s.conn.sever()
	}
}

// guard lets the end of ctx free a write, until the returned function is called. The socket limits each write anyway, so a
// context without an end needs no guard.
func (s *session) guard(ctx context.Context) (end func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	freed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(freed)
		s.freeWrite()
	})
	return func() {
		if !stop() {
			<-freed
		}
	}
}

// freeWrite ends a write that exceeds its batch's deadline, by severing the connection.
func (s *session) freeWrite() {
	stuck := s.writes.Load()
	if stuck%2 == 0 {
		return
	}
	timer := time.NewTimer(writeMoment)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-s.gone:
	}
	if s.writes.Load() == stuck {
		s.conn.sever()
	}
}
