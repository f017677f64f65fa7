package sim

import (
	"context"
	"errors"
	"time"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// longestZombie is the longest delay of a publish that was reported as failed.
const longestZombie = 3 * time.Minute // how long a publish that was reported as failed may be on its way

var errBrokerAway = errors.New("not connected to the broker")

// publisher is the broker connection of a replica. It implements relay.Publisher and engine.Queues.
type publisher struct {
	sim     *Simulation
	replica *replica
}

// CanPublish implements relay.Publisher.
func (p publisher) CanPublish() error {
	if p.sim.brokerAwayUntil > p.sim.now {
		p.sim.count(brokerAway)
		return errBrokerAway
	}
	return nil
}

// Publish implements relay.Publisher.
func (p publisher) Publish(ctx context.Context, commands []wire.Command, settle func(int, wire.Receipt)) {
	s := p.sim
	between := func(i int) bool { return commands[i].Queue == wire.BetweenSagas }
	s.sleep(s.between(100*time.Microsecond, 3*time.Millisecond))
	receipts := make([]wire.Receipt, len(commands))
	for i := range commands {
		if between(i) {
			s.spawn(p.replica.process, func() { p.deliver(ctx, &commands[i], func(r wire.Receipt) { settle(i, r) }) })
		} else {
			receipts[i] = p.publish(&commands[i])
		}
	}
	s.sleep(s.between(100*time.Microsecond, 3*time.Millisecond))
	for i := range commands {
		if !between(i) {
			settle(i, receipts[i])
		}
	}
}

// deliver delivers a message between sagas, perhaps twice, as the server does.
func (p publisher) deliver(ctx context.Context, message *wire.Command, settle func(wire.Receipt)) {
	s := p.sim
	s.pause()
	err := p.replica.engine.Deliver(ctx, message)
	if err == nil && s.draw(messageRepeated) {
		s.sleep(s.between(time.Millisecond, 5*time.Second))
		err = p.replica.engine.Deliver(ctx, message)
	}
	if err != nil {
		settle(wire.Receipt{Reason: err.Error()})
	} else {
		settle(wire.Receipt{Outcome: wire.Confirmed})
	}
	p.replica.relay.SettleReceipts(ctx)
}

// PublishAlone implements relay.Publisher.
func (p publisher) PublishAlone(_ context.Context, command *wire.Command) wire.Receipt {
	p.sim.sleep(p.sim.between(100*time.Microsecond, 3*time.Millisecond))
	return p.publish(command)
}

func (p publisher) publish(command *wire.Command) wire.Receipt {
	s := p.sim
	message := command.Message(repliesQueue, p.replica.clock())
	message.Queue = workerQueue + command.Queue
	switch {
	case p.CanPublish() != nil:
		return wire.Receipt{Reason: errBrokerAway.Error()}
	case !s.broker.exists(command.Queue):
		s.count(unroutable)
		return wire.Receipt{Outcome: wire.Returned, Reason: "no queue " + message.Queue}
	case s.draw(publishLost):
		return wire.Receipt{Reason: "the connection broke"}
	case s.draw(publishZombie):
		s.zombies++
		s.after(s.ambient, s.between(time.Second, longestZombie), func() { s.arrive(command, message) })
		return wire.Receipt{Reason: "no confirm in time"}
	}
	s.evidence.published(command)
	s.broker.put(message)
	if s.draw(publishStored) {
		return wire.Receipt{Reason: "the connection broke"}
	}
	return wire.Receipt{Outcome: wire.Confirmed}
}

// arrive delivers a zombie publish.
func (s *Simulation) arrive(command *wire.Command, message wire.Message) {
	s.zombies--
	if s.broker.exists(command.Queue) {
		s.evidence.published(command)
		s.broker.put(message)
	}
}

// DeclareQueues implements relay.Publisher and engine.Queues.
func (p publisher) DeclareQueues(_ context.Context, queues []string) error {
	s := p.sim
	s.sleep(s.between(100*time.Microsecond, 3*time.Millisecond))
	if err := p.CanPublish(); err != nil {
		return err
	}
	s.broker.declare(queues)
	return nil
}
