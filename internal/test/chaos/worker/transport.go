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

// unruly is a transport that does to commands and replies what brokers, networks and bad workers do.
type unruly struct {
	steps.Transport
	notes      interface{ note(kind, command string) }
	sender     *sender
	duplicates float64
}

// Receive is the transport's, with every command and every reply going through what its script asks for. More commands
// are out than the worker works on: those that are held must keep none of the others back.
func (u *unruly) Receive(ctx context.Context, queue string, limit int, handle func(wire.Message) wire.Answer) error {
	return u.Transport.Receive(ctx, queue, 2*limit, func(m wire.Message) wire.Answer { return u.deal(ctx, m, handle) })
}

func (u *unruly) deal(ctx context.Context, m wire.Message, handle func(wire.Message) wire.Answer) wire.Answer {
	delivery, err := wire.DecodeCommand(m)
	if err != nil {
		return handle(m)
	}
	var data chaos.Data
	_ = json.Unmarshal(delivery.Data, &data) // data that is not the suite's has no script
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

// before is what happens to a command before the worker sees it.
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

// repeat hands the command over as often as it comes, all at the same time.
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

// after is what happens to a reply on its way.
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
		// The second comes when the first is stored: replicas side by side take replies in any order.
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

// chosen picks the commands that come twice by their ids: every delivery of one is treated alike.
func (u *unruly) chosen(command string) bool {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(command)) // a hash never fails to write
	return float64(hash.Sum32()%1000) < u.duplicates*1000
}

// opposite says that it failed where the reply says that it succeeded, and the other way round.
func opposite(reply []byte) []byte {
	var said wire.Reply
	_ = json.Unmarshal(reply, &said) // it was encoded a moment ago
	contrary := wire.Succeeded(nil)
	if said.Error == nil {
		contrary = wire.Failed("contradicted", "the same command, another answer", false)
	}
	content, _ := contrary.Encode() // a plain reply
	return content
}

// sender publishes replies beside the worker's own, on a connection of its own.
type sender struct {
	url string

	mu      sync.Mutex
	channel *amqp.Channel
}

// send publishes one reply, and says whether it could.
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
