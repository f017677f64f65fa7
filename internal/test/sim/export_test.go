package sim

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Broker is a world's broker alone, for the tests that RabbitMQ passes too: nothing goes wrong with it by itself.
type Broker struct {
	world *World
	taken map[string][]*delivery // by queue
}

// DeliveryLimit is how often a command is delivered again.
const DeliveryLimit = deliveryLimit

// NewBroker makes a broker whose deliveries are taken by Take.
func NewBroker() *Broker {
	b := &Broker{world: newWorld(1, ""), taken: make(map[string][]*delivery)}
	b.world.receive = func(_ *process, d *delivery) { b.taken[d.Queue] = append(b.taken[d.Queue], d) }
	return b
}

// Close ends its world.
func (b *Broker) Close() { b.world.end() }

// Declare makes a worker queue.
func (b *Broker) Declare(queue string) {
	b.do(func(p publisher) { _ = p.DeclareQueues(context.Background(), []string{queue}) })
}

// Publish is a replica's.
func (b *Broker) Publish(commands ...wire.Command) (receipts []wire.Receipt) {
	receipts = make([]wire.Receipt, len(commands))
	b.do(func(p publisher) {
		p.Publish(context.Background(), commands, func(i int, receipt wire.Receipt) { receipts[i] = receipt })
	})
	return receipts
}

// do has a replica do something with its connection.
func (b *Broker) do(something func(publisher)) {
	w, done := b.world, false
	w.spawn(w.people, func() {
		something(publisher{world: w, replica: w.replicas[0]})
		done = true
	})
	w.run(w.now+time.Hour, func() bool { return done })
}

// Take waits for the next delivery of a worker queue, and for how the worker settles it.
func (b *Broker) Take(queue string) (wire.Message, func(wire.Answer)) {
	d := b.next(workerQueue + queue)
	return d.Message, func(answer wire.Answer) {
		k := &work{world: b.world, delivery: d}
		k.command.ID = must(wire.DecodeCommand(d.Message)).ID
		if answer.Settlement == wire.Requeued {
			b.world.broker.giveBack(d)
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

// TakeReply and TakeDead wait for what the orchestrator takes, and for whether it is settled.
func (b *Broker) TakeReply() (wire.Message, func(bool)) { return b.takeOwn(repliesQueue) }

// TakeDead is for dead letters.
func (b *Broker) TakeDead() (wire.Message, func(bool)) { return b.takeOwn(deadQueue) }

func (b *Broker) takeOwn(queue string) (wire.Message, func(bool)) {
	d := b.next(queue)
	return d.Message, func(ok bool) {
		if ok {
			b.world.broker.acknowledge(d)
		} else {
			b.world.broker.giveBack(d)
		}
	}
}

func (b *Broker) next(queue string) *delivery {
	if !b.world.run(b.world.now+time.Minute, func() bool { return len(b.taken[queue]) > 0 }) {
		panic("nothing comes from " + queue)
	}
	d := b.taken[queue][0]
	b.taken[queue] = b.taken[queue][1:]
	return d
}
