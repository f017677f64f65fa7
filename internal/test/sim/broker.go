package sim

import (
	"maps"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	repliesQueue   = "saga.replies"
	deadQueue      = "saga.dead"
	workerQueue    = "saga.commands." // plus the name of the queue
	deliveryLimit  = 5                // redeliveries of a command before it is dead-lettered
	redeliverAfter = 100 * time.Millisecond
)

// broker delivers messages as RabbitMQ does: unsettled messages are redelivered, in no particular order.
type broker struct {
	sim    *Simulation
	queues map[string]*queue // worker queues, by their names in the broker
	inside int               // unsettled messages
}

// queue is a worker queue. Redeclaring a deleted queue starts another life.
type queue struct {
	exists bool
	life   int
}

// message stays in its queue until it is settled.
type message struct {
	wire.Message

	life       int // of its queue
	deliveries int
	gone       bool
}

// delivery is one delivery of a message. Only the last one can settle the message.
type delivery struct {
	*message

	to     *process
	number int
}

func newBroker(s *Simulation) *broker {
	return &broker{sim: s, queues: make(map[string]*queue)}
}

// put enqueues a message. A fault may duplicate or delay it.
func (b *broker) put(m wire.Message) {
	s := b.sim
	times := 1
	if s.draw(duplicated) {
		times = 2
	}
	for range times {
		wait := s.between(100*time.Microsecond, 5*time.Millisecond)
		if s.draw(delayed) {
			wait = s.between(10*time.Millisecond, 15*time.Second)
		}
		b.inside++
		b.offer(&message{Message: m, life: b.life(m.Queue)}, wait)
	}
}

// offer delivers a message after a while.
func (b *broker) offer(m *message, wait time.Duration) {
	b.sim.after(b.sim.ambient, wait, func() { b.deliver(m) })
}

func (b *broker) deliver(m *message) {
	if m.gone {
		return
	}
	if b.lost(m) {
		b.remove(m)
		return
	}
	group := b.sim.workers
	if m.Queue == repliesQueue || m.Queue == deadQueue {
		group = b.sim.replicaProcesses()
	}
	to := b.sim.pick(group)
	if to == nil {
		b.offer(m, redeliverAfter)
		return
	}
	m.deliveries++
	d := &delivery{message: m, to: to, number: m.deliveries}
	to.held = append(to.held, d)
	m.Redelivered = m.deliveries > 1
	b.sim.receive(to, d)
	if b.sim.draw(connectionLost) {
		b.sim.after(b.sim.ambient, b.sim.between(0, time.Second), func() { b.requeue(d) })
	}
}

// current reports whether this delivery can still settle the message.
func (d *delivery) current() bool {
	return !d.gone && d.number == d.deliveries && slices.Contains(d.to.held, d)
}

func (d *delivery) unhold() {
	if at := slices.Index(d.to.held, d); at >= 0 {
		d.to.held = slices.Delete(d.to.held, at, at+1)
	}
}

// acknowledge removes a message from its queue.
func (b *broker) acknowledge(d *delivery) {
	if !d.current() {
		return
	}
	d.unhold()
	b.remove(d.message)
	if d.Queue == repliesQueue {
		b.sim.evidence.acknowledged(d.Message)
	}
}

func (b *broker) remove(m *message) {
	m.gone = true
	b.inside--
}

// requeue redelivers a message, or dead-letters it above the delivery limit.
func (b *broker) requeue(d *delivery) {
	if !d.current() {
		return
	}
	d.unhold()
	if d.Queue != repliesQueue && d.Queue != deadQueue && d.deliveries > deliveryLimit {
		b.deadLetter(d.message, "delivery_limit")
		return
	}
	b.offer(d.message, b.sim.between(time.Millisecond, 50*time.Millisecond))
}

// reject dead-letters a message.
func (b *broker) reject(d *delivery) {
	if d.current() {
		d.unhold()
		b.deadLetter(d.message, "rejected")
	}
}

func (b *broker) deadLetter(m *message, reason string) {
	b.sim.count(deadLettered)
	b.remove(m)
	letter := m.Message
	letter.Headers = maps.Clone(letter.Headers)
	letter.Headers["x-first-death-reason"] = reason
	letter.Queue = deadQueue
	b.inside++
	b.offer(&message{Message: letter}, b.sim.between(time.Millisecond, 50*time.Millisecond))
}

// release requeues everything that a process held when its connection broke.
func (b *broker) release(p *process) {
	for _, d := range slices.Clone(p.held) {
		b.requeue(d)
	}
}

// declare creates worker queues.
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

// deleteQueue deletes a worker queue with its messages.
func (b *broker) deleteQueue(name string) {
	if b.exists(name) {
		b.sim.count(queueDeleted)
		b.queues[workerQueue+name].exists = false
	}
}

func (b *broker) life(name string) int {
	if q := b.queues[name]; q != nil {
		return q.life
	}
	return 0
}

// lost reports whether the queue of a message was deleted.
func (b *broker) lost(m *message) bool {
	q := b.queues[m.Queue]
	return q != nil && (!q.exists || q.life != m.life)
}
