package server

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/relay"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// maxDelivering is the number of messages between sagas that are delivered at the same time. 128 of them at most wait for sagas of
// costly definitions.
const maxDelivering = 192

// between publishes commands, and delivers the messages between sagas, which never reach the broker.
type between struct {
	relay.Publisher
	deliver func(ctx context.Context, message *wire.Command) error

	slots   chan struct{}
	running sync.WaitGroup
}

func newBetween(next relay.Publisher, deliver func(context.Context, *wire.Command) error) *between {
	return &between{Publisher: next, deliver: deliver, slots: make(chan struct{}, maxDelivering)}
}

// Publish publishes the commands. Messages between sagas are settled later, so that none holds up a command.
func (b *between) Publish(ctx context.Context, commands []wire.Command, settle func(i int, receipt wire.Receipt)) {
	if !slices.ContainsFunc(commands, func(c wire.Command) bool { return c.Queue == wire.BetweenSagas }) {
		b.Publisher.Publish(ctx, commands, settle)
		return
	}
	var others []wire.Command
	var positions []int
	for i := range commands {
		if commands[i].Queue == wire.BetweenSagas {
			b.running.Go(func() { settle(i, b.send(ctx, &commands[i])) })
			continue
		}
		others, positions = append(others, commands[i]), append(positions, i)
	}
	if len(others) > 0 {
		b.Publisher.Publish(ctx, others, func(i int, receipt wire.Receipt) { settle(positions[i], receipt) })
	}
}

// PublishAlone publishes one command.
func (b *between) PublishAlone(ctx context.Context, command *wire.Command) wire.Receipt {
	if command.Queue == wire.BetweenSagas {
		return b.send(ctx, command)
	}
	return b.Publisher.PublishAlone(ctx, command)
}

// send delivers a message. One that was not delivered stays in the outbox: until its lease ends, or longer if a saga that it is
// about cannot be read.
func (b *between) send(ctx context.Context, message *wire.Command) wire.Receipt {
	select {
	case b.slots <- struct{}{}:
		defer func() { <-b.slots }()
	case <-ctx.Done():
		return wire.Receipt{Outcome: wire.Unconfirmed, Reason: ctx.Err().Error()}
	}
	switch err := b.deliver(ctx, message); {
	case err == nil:
		return wire.Receipt{Outcome: wire.Confirmed}
	case errors.Is(err, record.ErrUnreadable): // delivered again after longer and longer pauses
		return wire.Receipt{Outcome: wire.Refused, Reason: err.Error()}
	case errors.Is(err, record.ErrCostly):
		return wire.Receipt{Outcome: wire.Postponed, Reason: err.Error()}
	default:
		return wire.Receipt{Outcome: wire.Unconfirmed, Reason: err.Error()}
	}
}

// wait waits until every message that is being delivered was settled.
func (b *between) wait() { b.running.Wait() }
