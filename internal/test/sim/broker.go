package sim

import (
	"maps"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	repliesQueue  = "saga.replies"
	deadQueue     = "saga.dead"
	workerQueue   = "saga.commands." // and the queue's name
	deliveryLimit = 5                // how often a command is delivered again before it is a dead letter
	retakeAfter   = 100 * time.Millisecond
)

// broker carries messages as RabbitMQ does: what nobody has settled comes again, in no order that can be relied upon.
type broker struct {
	world  *World
	queues map[string]*queue // worker queues, by their names in the broker
	inside int               // messages that are not settled
}

// queue is a worker queue. One that is deleted and declared again is another one.
type queue struct {
	exists bool
	life   int
}

// message is in a queue until it is settled.
type message struct {
	wire.Message

	life       int // of its queue
	deliveries int
	gone       bool
}

// delivery is one handing over of a message. Only the last one of a message can settle it.
type delivery struct {
	*message

	to     *process
	number int
}

func newBroker(w *World) *broker {
	return &broker{world: w, queues: make(map[string]*queue)}
}

// put places a message in its queue; a fault may place it twice, or keep it there for a while.
func (b *broker) put(m wire.Message) {
	w := b.world
	times := 1
	if w.happens(duplicated) {
		times = 2
	}
	for range times {
		wait := w.between(100*time.Microsecond, 5*time.Millisecond)
		if w.happens(delayed) {
			wait = w.between(10*time.Millisecond, 15*time.Second)
		}
		b.inside++
		b.offer(&message{Message: m, life: b.life(m.Queue)}, wait)
	}
}

// offer hands a message to somebody after a while.
func (b *broker) offer(m *message, wait time.Duration) {
	b.world.after(b.world.nature, wait, func() { b.deliver(m) })
}

func (b *broker) deliver(m *message) {
	if m.gone {
		return
	}
	if b.lost(m) {
		b.remove(m)
		return
	}
	group := b.world.workers
	if m.Queue == repliesQueue || m.Queue == deadQueue {
		group = b.world.replicaProcesses()
	}
	to := b.world.pick(group)
	if to == nil {
		b.offer(m, retakeAfter)
		return
	}
	m.deliveries++
	d := &delivery{message: m, to: to, number: m.deliveries}
	to.held = append(to.held, d)
	m.Redelivered = m.deliveries > 1
	b.world.receive(to, d)
	if b.world.happens(connectionLost) {
		b.world.after(b.world.nature, b.world.between(0, time.Second), func() { b.giveBack(d) })
	}
}

// current says whether this delivery is still the one that settles the message.
func (d *delivery) current() bool {
	return !d.gone && d.number == d.deliveries && slices.Contains(d.to.held, d)
}

func (d *delivery) letGo() {
	if at := slices.Index(d.to.held, d); at >= 0 {
		d.to.held = slices.Delete(d.to.held, at, at+1)
	}
}

// acknowledge takes a message out of its queue.
func (b *broker) acknowledge(d *delivery) {
	if !d.current() {
		return
	}
	d.letGo()
	b.remove(d.message)
	if d.Queue == repliesQueue {
		b.world.evidence.acknowledged(d.Message)
	}
}

func (b *broker) remove(m *message) {
	m.gone = true
	b.inside--
}

// giveBack has a message delivered again, or makes it a dead letter when that has happened too often.
func (b *broker) giveBack(d *delivery) {
	if !d.current() {
		return
	}
	d.letGo()
	if d.Queue != repliesQueue && d.Queue != deadQueue && d.deliveries > deliveryLimit {
		b.bury(d.message, "delivery_limit")
		return
	}
	b.offer(d.message, b.world.between(time.Millisecond, 50*time.Millisecond))
}

// reject makes a dead letter of a message.
func (b *broker) reject(d *delivery) {
	if d.current() {
		d.letGo()
		b.bury(d.message, "rejected")
	}
}

func (b *broker) bury(m *message, reason string) {
	b.world.count(deadLettered)
	b.remove(m)
	letter := m.Message
	letter.Headers = maps.Clone(letter.Headers)
	letter.Headers["x-first-death-reason"] = reason
	letter.Queue = deadQueue
	b.inside++
	b.offer(&message{Message: letter}, b.world.between(time.Millisecond, 50*time.Millisecond))
}

// release gives back everything that a process held: its connection is gone.
func (b *broker) release(p *process) {
	for _, d := range slices.Clone(p.held) {
		b.giveBack(d)
	}
}

// declare makes worker queues exist.
func (b *broker) declare(names []string) {
	for _, name := range names {
		name = workerQueue + name
		if b.queues[name] == nil {
			b.queues[name] = &queue{}
		}
		if q := b.queues[name]; !q.exists {
			q.exists = true
			q.life++
		}
	}
}

func (b *broker) exists(name string) bool {
	q := b.queues[workerQueue+name]
	return q != nil && q.exists
}

// deleteQueue deletes a worker queue with everything that is in it.
func (b *broker) deleteQueue(name string) {
	if b.exists(name) {
		b.world.count(queueDeleted)
		b.queues[workerQueue+name].exists = false
	}
}

func (b *broker) life(name string) int {
	if q := b.queues[name]; q != nil {
		return q.life
	}
	return 0
}

// lost says whether a message's queue was deleted with it.
func (b *broker) lost(m *message) bool {
	q := b.queues[m.Queue]
	return q != nil && (!q.exists || q.life != m.life)
}
