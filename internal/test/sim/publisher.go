package sim

import (
	"context"
	"errors"
	"time"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const longestZombie = 3 * time.Minute // how long a publish that was reported as failed may be on its way

var errBrokerAway = errors.New("not connected to the broker")

// publisher is a replica's connection to the broker: relay.Publisher and engine.Queues.
type publisher struct {
	world   *World
	replica *replica
}

// CanPublish is relay.Publisher's.
func (p publisher) CanPublish() error {
	if p.world.brokerAwayUntil > p.world.now {
		p.world.count(brokerAway)
		return errBrokerAway
	}
	return nil
}

// Publish is relay.Publisher's.
func (p publisher) Publish(_ context.Context, commands []wire.Command, settle func(int, wire.Receipt)) {
	w := p.world
	w.sleep(w.between(100*time.Microsecond, 3*time.Millisecond))
	receipts := make([]wire.Receipt, len(commands))
	for i := range commands {
		receipts[i] = p.publish(&commands[i])
	}
	w.sleep(w.between(100*time.Microsecond, 3*time.Millisecond))
	for i := range commands {
		settle(i, receipts[i])
	}
}

// PublishAlone is relay.Publisher's.
func (p publisher) PublishAlone(_ context.Context, command *wire.Command) wire.Receipt {
	p.world.sleep(p.world.between(100*time.Microsecond, 3*time.Millisecond))
	return p.publish(command)
}

func (p publisher) publish(command *wire.Command) wire.Receipt {
	w := p.world
	message := command.Message(repliesQueue, p.replica.clock())
	message.Queue = workerQueue + command.Queue
	switch {
	case p.CanPublish() != nil:
		return wire.Receipt{Reason: errBrokerAway.Error()}
	case !w.broker.exists(command.Queue):
		w.count(unroutable)
		return wire.Receipt{Outcome: wire.Returned, Reason: "no queue " + message.Queue}
	case w.happens(publishLost):
		return wire.Receipt{Reason: "the connection broke"}
	case w.happens(publishZombie):
		w.zombies++
		w.after(w.nature, w.between(time.Second, longestZombie), func() { w.arrive(command, message) })
		return wire.Receipt{Reason: "no confirm in time"}
	}
	w.evidence.published(command)
	w.broker.put(message)
	if w.happens(publishStored) {
		return wire.Receipt{Reason: "the connection broke"}
	}
	return wire.Receipt{Outcome: wire.Confirmed}
}

// arrive is the end of a zombie publish.
func (w *World) arrive(command *wire.Command, message wire.Message) {
	w.zombies--
	if w.broker.exists(command.Queue) {
		w.evidence.published(command)
		w.broker.put(message)
	}
}

// DeclareQueues is relay.Publisher's and engine.Queues's.
func (p publisher) DeclareQueues(_ context.Context, queues []string) error {
	w := p.world
	w.sleep(w.between(100*time.Microsecond, 3*time.Millisecond))
	if err := p.CanPublish(); err != nil {
		return err
	}
	w.broker.declare(queues)
	return nil
}
