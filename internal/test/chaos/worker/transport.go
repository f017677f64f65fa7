package main

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"os"
	"sync"
	"syscall"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/internal/test/chaos"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// unruly is a transport that treats commands and replies as brokers, networks and bad workers do.
type unruly struct {
	steps.Transport
	notes      interface{ note(kind, command string) }
	sender     *sender
	duplicates float64
}

// Receive applies the script to every command and every reply. It takes more commands than the worker handles, so that
// held ones do not block the others.
func (u *unruly) Receive(ctx context.Context, queue string, limit int, handle func(wire.Message) wire.Answer) error {
	return u.Transport.Receive(ctx, queue, 2*limit, func(m wire.Message) wire.Answer { return u.deal(ctx, m, handle) })
}

func (u *unruly) deal(ctx context.Context, m wire.Message, handle func(wire.Message) wire.Answer) wire.Answer {
	delivery, err := wire.DecodeCommand(m)
	if err != nil {
		return handle(m)
	}
	var data chaos.Data
	_ = json.Unmarshal(delivery.Data, &data) // foreign data has no script
	behaviour := data.Of(delivery.ID.Step, delivery.ID.Direction)
	u.before(ctx, behaviour, m.MessageID)
	copies := data.Copies
	if u.chosen(m.MessageID) {
		copies = max(copies, 2)
	}
	answer := u.repeat(m, handle, copies)
	if answer.Settlement != wire.Replied {
		return answer
	}
	return u.after(ctx, behaviour, delivery.ID, m, answer, copies)
}

// before applies the script before the worker gets the command.
func (u *unruly) before(ctx context.Context, behaviour chaos.Behaviour, command string) {
	switch behaviour {
	case chaos.Lethal:
		u.notes.note("lethal", command)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal is on its way
	case chaos.Hold:
		u.notes.note("hold", command)
		wait.For(ctx, 4*chaos.BriefTimeout)
	}
}

// repeat delivers the command several times, concurrently.
func (u *unruly) repeat(m wire.Message, handle func(wire.Message) wire.Answer, copies int) wire.Answer {
	var working sync.WaitGroup
	for range copies - 1 {
		working.Go(func() { handle(m) })
	}
	answer := handle(m)
	working.Wait()
	if copies > 1 {
		u.notes.note("command repeated", m.MessageID)
	}
	return answer
}

// after applies the script to a reply.
func (u *unruly) after(
	ctx context.Context, behaviour chaos.Behaviour, id saga.CommandID, m wire.Message, answer wire.Answer, copies int,
) wire.Answer {
	first := id.Attempt == 1
	switch {
	case behaviour == chaos.Mute && first:
		u.notes.note("mute", m.MessageID)
		return wire.Answer{Settlement: wire.Dropped}
	case behaviour == chaos.Late:
		u.notes.note("late", m.MessageID)
		wait.For(ctx, 3*chaos.BriefTimeout)
	case behaviour == chaos.Cross && first:
		u.notes.note("cross", m.MessageID)
		wait.For(ctx, chaos.BriefTimeout+300*time.Millisecond)
	case behaviour == chaos.Cross:
		wait.For(ctx, chaos.BriefTimeout*4/5)
	case behaviour == chaos.Contradict, behaviour == chaos.Deny:
		// The second reply is sent once the first is stored: replicas take concurrent replies in any order.
		if u.sender.send(m.ReplyTo, m.CorrelationID, answer.Reply) && wait.For(ctx, 2*time.Second) && u.sender.send(m.ReplyTo, m.CorrelationID, opposite(answer.Reply)) {
			u.notes.note("contradict", m.MessageID)
		}
		return wire.Answer{Settlement: wire.Dropped}
	}
	for range copies - 1 {
		u.sender.send(m.ReplyTo, m.CorrelationID, answer.Reply)
	}
	return answer
}

// chosen selects the commands that are delivered twice by their ids, so that all deliveries of one are treated alike.
func (u *unruly) chosen(command string) bool {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(command)) // a hash never fails to write
	return float64(hash.Sum32()%1000) < u.duplicates*1000
}

// opposite returns a failure for a success, and a success for a failure.
func opposite(reply []byte) []byte {
	var said wire.Reply
	_ = json.Unmarshal(reply, &said) // it was just encoded
	contrary := wire.Succeeded(nil)
	if said.Error == nil {
		contrary = wire.Failed("contradicted", "the same command, another answer", false)
	}
	content, _ := contrary.Encode() // a plain reply cannot fail
	return content
}

// sender publishes extra replies on its own connection.
type sender struct {
	url string

	mu      sync.Mutex
	channel *amqp.Channel
}

// send publishes one reply, and reports whether it could.
func (s *sender) send(queue, correlationID string, body []byte) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.channel == nil || s.channel.IsClosed() {
		connection, err := amqp.DialConfig(s.url, amqp.Config{Dial: amqp.DefaultDial(2 * time.Second)})
		if err != nil {
			return false
		}
		if s.channel, err = connection.Channel(); err != nil {
			return false
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	message := amqp.Publishing{CorrelationId: correlationID, Body: body, DeliveryMode: amqp.Persistent}
	return s.channel.PublishWithContext(ctx, "", queue, false, false, message) == nil
}
