package sim

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// The ages of a world.
const (
	trouble     = time.Minute      // faults happen, and sagas are started
	recovery    = 2 * time.Minute  // how long after the healing every saga must have ended, or be waiting for a person
	repair      = 10 * time.Minute // how long people may need for those
	glance      = 500 * time.Millisecond
	replicas    = 3
	workers     = 3
	plans       = 8
	healthyFrom = 25 * time.Second // after the healing; the last pause is over by then
)

// World is a simulated installation: several replicas of the production engine and relay over one store, one broker,
// workers behind a barrier, and people.
type World struct {
	*schedule

	Faults [faultKinds]int

	rates   [faultKinds]float64
	healed  bool
	nature  *process // what happens without any process: messages on their way, and the faults
	people  *process
	store   *memory.Store
	broker  *broker
	barrier *Barrier

	replicas []*replica
	workers  []*process
	receive  func(to *process, d *delivery) // whom the broker hands deliveries
	plans    []*saga.Definition
	evidence *evidence

	storeAwayUntil  time.Duration
	brokerAwayUntil time.Duration
	zombies         int // publishes that are still on their way
	actors          int // people so far
}

// newWorld makes everything that a seed stands for.
func newWorld(seed uint64, story string) *World {
	w := &World{
		schedule: newSchedule(seed), barrier: NewBarrier(),
		nature: &process{name: "nature"}, people: &process{name: "people"},
	}
	kept, err := memory.Open(memory.Config{Now: w.time})
	if err != nil {
		panic(err) // a store without a file has nothing to fail at
	}
	w.store, w.receive = kept, w.take
	w.broker = newBroker(w)
	w.evidence = newEvidence(w, story)
	for n := range replicas {
		w.replicas = append(w.replicas, w.newReplica(n))
	}
	for range workers {
		w.workers = append(w.workers, &process{name: "worker"})
	}
	for n := range plans {
		w.plans = append(w.plans, w.newPlan(n))
	}
	return w
}

// live lets the world go through its ages, with that many sagas in it.
func (w *World) live(sagas int) {
	defer w.end()
	w.register()
	w.rates = rates()
	w.unleash()
	for n := range sagas {
		w.after(w.people, w.between(0, trouble), func() { w.spawn(w.people, func() { w.start(n) }) })
	}
	w.run(w.now+trouble, never)
	w.heal()
	healed := w.now
	if !w.run(healed+recovery, w.every(glance, w.evidence.settled)) {
		w.evidence.stalled("after the healing")
	}
	w.evidence.healthyFrom = healed + healthyFrom
	w.spawn(w.people, w.repair)
	if !w.run(healed+repair, w.every(glance, w.atRest)) {
		w.evidence.stalled("with people at work")
	}
}

func never() bool { return false }

// every asks a question only so often.
func (s *schedule) every(interval time.Duration, question func() bool) func() bool {
	next := s.now
	return func() bool {
		if s.now < next {
			return false
		}
		next = s.now + interval
		return question()
	}
}

// atRest says that nothing is left to be done by anybody.
func (w *World) atRest() bool {
	return w.zombies == 0 && w.broker.inside == 0 && w.evidence.ended() && w.evidence.outboxEmpty()
}

// register makes the definitions known, through a replica.
func (w *World) register() {
	left := len(w.plans)
	w.spawn(w.people, func() {
		for i := range w.plans {
			w.ask(func(r *replica) {
				registered, _, err := r.engine.RegisterDefinition(w.patience(), w.plans[i])
				if err != nil {
					panic(err) // there are no faults yet
				}
				w.plans[i] = registered.Definition
			})
			left--
		}
	})
	w.run(trouble, func() bool { return left == 0 })
}

// end stops everything.
func (w *World) end() {
	w.kill(w.nature)
	w.kill(w.people)
	for _, r := range w.replicas {
		w.kill(r.process)
	}
	for _, p := range w.workers {
		w.kill(p)
	}
}

// committed is told of every transaction.
func (w *World) committed(changes record.Changes) { w.evidence.committed(changes) }

// take hands a delivery to the process that it is for.
func (w *World) take(to *process, d *delivery) {
	for _, r := range w.replicas {
		if r.process == to {
			r.take(d)
			return
		}
	}
	w.serve(to, d)
}

// pick draws a process that is alive and not standing still; nil: there is none.
func (w *World) pick(group []*process) *process {
	var fit [max(replicas, workers)]*process
	n := 0
	for _, p := range group {
		if !p.dead && p.frozenUntil <= w.now {
			fit[n] = p
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return fit[w.chance.IntN(n)]
}

func (w *World) replicaProcesses() []*process {
	processes := make([]*process, len(w.replicas))
	for i, r := range w.replicas {
		processes[i] = r.process
	}
	return processes
}

// pause lets a little time pass for the current task.
func (w *World) pause() { w.sleep(w.between(100*time.Microsecond, 20*time.Millisecond)) }
