package rabbit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// writeMoment is how long a write may still take after the deadline of its batch.
const writeMoment = 50 * time.Millisecond

var (
	errNoConfirm = errors.New("RabbitMQ did not confirm in time")
	errNotSent   = errors.New("not sent in time")
)

// publish sends messages and awaits their confirms. On a new channel one message goes ahead: a broker that is out of
// memory says so only to those who publish, and what it has not read by then it may deliver much later.
func (s *session) publish(ctx context.Context, messages []outgoing) []wire.Receipt {
	if len(messages) < 2 || s.proven.Load() || messages[0].check() != nil {
		return s.publishAll(ctx, messages)
	}
	receipts := s.publishAll(ctx, messages[:1])
	if !s.proven.Load() {
		return append(receipts, refuse(messages[1:], errNotSent)...)
	}
	return append(receipts, s.publishAll(ctx, messages[1:])...)
}

func (s *session) publishAll(ctx context.Context, messages []outgoing) []wire.Receipt {
	b := newBatch(len(messages))
	s.send(ctx, messages, b)
	return b.wait(ctx)
}

// send publishes messages one after the other without awaiting their confirms. What it does not send gets its receipt.
//
// It holds the socket from before its turn: those whose turn it is leave the writing to those who wait, so what is sent
// at the same time leaves together.
func (s *session) send(ctx context.Context, messages []outgoing, b *batch) {
	s.conn.socket.hold()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		b.fail(0, errNotSent)
		stuck := time.AfterFunc(writeMoment, s.conn.sever)
		defer stuck.Stop()
		s.severOn(s.conn.socket.release())
		return
	}
	freed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(freed)
		s.freeWrite()
	})
	defer func() {
		if !stop() {
			<-freed
		}
	}()
	defer func() {
		s.writes.Add(1)
		s.severOn(s.conn.socket.release())
		s.writes.Add(1)
	}()
	for i := range messages {
		if err := messages[i].check(); err != nil {
			b.set(i, unconfirmed(err))
			continue
		}
		if err := s.sendOne(ctx, &messages[i], b, i); err != nil {
			b.fail(i, err)
			return
		}
	}
}

func (s *session) sendOne(ctx context.Context, o *outgoing, b *batch, index int) error {
	if err := s.enterWindow(ctx); err != nil {
		return err
	}
	if blocked := s.conn.whyBlocked(); blocked != "" {
		<-s.window
		return errors.New(blocked)
	}
	s.mu.Lock()
	if s.lost != nil {
		s.mu.Unlock()
		return s.lost
	}
	s.tag++
	s.flights[s.tag] = &flight{id: o.message.MessageId, batch: b, index: index}
	s.mu.Unlock()
	s.writes.Add(1)
	_, err := s.channel.PublishWithDeferredConfirm(o.exchange, o.key, true, false, o.message)
	s.writes.Add(1)
	if err != nil {
		// The library's count of messages and ours may differ from here on, so this channel is done for.
		s.conn.sever()
		return fmt.Errorf("publish: %w", err)
	}
	return nil
}

// enterWindow waits until fewer messages than the window holds are unconfirmed. What has gathered must be on its way
// before, or its confirms would never come.
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

// severOn breaks the connection off after a write that failed: the library takes for written what only gathered.
func (s *session) severOn(err error) {
	if err != nil {
		s.conn.sever()
	}
}

// freeWrite ends a write that goes on after its batch's time: nothing but the loss of the connection does.
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
