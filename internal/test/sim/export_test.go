package sim

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Broker is the simulated broker alone, without faults, for the tests that RabbitMQ passes too.
type Broker struct {
	sim   *Simulation
	taken map[string][]*delivery // by queue
}

// DeliveryLimit is the number of redeliveries of a command.
const DeliveryLimit = deliveryLimit

// NewBroker returns a broker whose deliveries are received with Take.
func NewBroker() *Broker {
	b := &Broker{sim: newSimulation(1, ""), taken: make(map[string][]*delivery)}
	b.sim.receive = func(_ *process, d *delivery) { b.taken[d.Queue] = append(b.taken[d.Queue], d) }
	return b
}

// Close ends the simulation.
func (b *Broker) Close() { b.sim.end() }

// Declare creates a worker queue.
func (b *Broker) Declare(queue string) {
	b.do(func(p publisher) { _ = p.DeclareQueues(context.Background(), []string{queue}) })
}

// Publish publishes commands as a replica does.
func (b *Broker) Publish(commands ...wire.Command) (receipts []wire.Receipt) {
	receipts = make([]wire.Receipt, len(commands))
	b.do(func(p publisher) {
		p.Publish(context.Background(), commands, func(i int, receipt wire.Receipt) { receipts[i] = receipt })
	})
	return receipts
}

// do calls a function with the connection of a replica.
func (b *Broker) do(something func(publisher)) {
	s, done := b.sim, false
	s.spawn(s.operators, func() {
		something(publisher{sim: s, replica: s.replicas[0]})
		done = true
	})
	s.run(s.now+time.Hour, func() bool { return done })
}

// Take waits for the next delivery of a worker queue, and returns it with a function that settles it.
func (b *Broker) Take(queue string) (wire.Message, func(wire.Answer)) {
	d := b.next(workerQueue + queue)
	return d.Message, func(answer wire.Answer) {
		k := &work{sim: b.sim, delivery: d}
		k.command.ID = must(wire.DecodeCommand(d.Message)).ID
		if answer.Settlement == wire.Requeued {
			b.sim.broker.requeue(d)
			return
		}
		b.do(func(publisher) { k.settle(answer) })
	}
}

func must(command wire.Delivery, err error) wire.Delivery {
	if err != nil {
		panic(err)
	}
	return command
}

// TakeReply waits for the next reply.
func (b *Broker) TakeReply() (wire.Message, func(bool)) { return b.takeOwn(repliesQueue) }

// TakeDead waits for the next dead letter.
func (b *Broker) TakeDead() (wire.Message, func(bool)) { return b.takeOwn(deadQueue) }

func (b *Broker) takeOwn(queue string) (wire.Message, func(bool)) {
	d := b.next(queue)
	return d.Message, func(ok bool) {
		if ok {
			b.sim.broker.acknowledge(d)
		} else {
			b.sim.broker.requeue(d)
		}
	}
}

func (b *Broker) next(queue string) *delivery {
	if !b.sim.run(b.sim.now+time.Minute, func() bool { return len(b.taken[queue]) > 0 }) {
		panic("no delivery from " + queue)
	}
	d := b.taken[queue][0]
	b.taken[queue] = b.taken[queue][1:]
	return d
}
