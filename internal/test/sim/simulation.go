package sim

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// The phases of a simulation.
const (
	faultTime    = time.Minute      // faults happen, and sagas start
	recoveryTime = 2 * time.Minute  // after heal, until every saga must have ended or wait for an operator
	repair       = 10 * time.Minute // until operators must have handled those
	checkEvery   = 500 * time.Millisecond
	replicas     = 3
	workers      = 3
	definitions  = 8
	healthyFrom  = 25 * time.Second // after heal; the last pause is over by then
)

// Simulation is an installation: several replicas of the production engine and relay over one store and one broker,
// workers behind a barrier, and operators.
type Simulation struct {
	*schedule

	Faults [faultKinds]int

	rates     [faultKinds]float64
	healed    bool
	ambient   *process // what happens outside the processes: messages in transit, and faults
	operators *process
	store     *memory.Store
	broker    *broker
	barrier   *Barrier

	replicas    []*replica
	workers     []*process
	receive     func(to *process, d *delivery) // receives the deliveries of the broker
	definitions []*saga.Definition
	evidence    *evidence

	storeAwayUntil  time.Duration
	brokerAwayUntil time.Duration
	zombies         int // publishes still in transit
	actors          int // operators so far
}

// newSimulation makes everything that a seed determines.
func newSimulation(seed uint64, traced string) *Simulation {
	w := &Simulation{
		schedule: newSchedule(seed), barrier: NewBarrier(),
		ambient: &process{name: "ambient"}, operators: &process{name: "operators"},
	}
	kept, err := memory.Open(memory.Config{Now: w.time})
	if err != nil {
		panic(err) // a store without a file does not fail
	}
	w.store, w.receive = kept, w.take
	w.broker = newBroker(w)
	w.evidence = newEvidence(w, traced)
	for n := range replicas {
		w.replicas = append(w.replicas, w.newReplica(n))
	}
	for range workers {
		w.workers = append(w.workers, &process{name: "worker"})
	}
	for n := range definitions {
		w.definitions = append(w.definitions, w.newDefinition(n))
	}
	return w
}

// simulate runs all phases with that many sagas.
func (w *Simulation) simulate(sagas int) {
	defer w.end()
	w.register()
	w.rates = rates()
	w.startFaults()
	for n := range sagas {
		w.after(w.operators, w.between(0, faultTime), func() { w.spawn(w.operators, func() { w.start(n) }) })
	}
	w.run(w.now+faultTime, never)
	w.heal()
	healed := w.now
	if !w.run(healed+recoveryTime, w.every(checkEvery, w.evidence.settled)) {
		w.evidence.reportStalled("after the faults")
	}
	w.evidence.healthyFrom = healed + healthyFrom
	w.spawn(w.operators, w.repair)
	if !w.run(healed+repair, w.every(checkEvery, w.atRest)) {
		w.evidence.reportStalled("after the repairs")
	}
}

func never() bool { return false }

// every limits how often a condition is evaluated.
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

// atRest reports whether no work is left for anyone.
func (w *Simulation) atRest() bool {
	return w.zombies == 0 && w.broker.inside == 0 && w.evidence.ended() && w.evidence.outboxEmpty()
}

// register registers the definitions through a replica.
func (w *Simulation) register() {
	left := len(w.definitions)
	w.spawn(w.operators, func() {
		for i := range w.definitions {
			w.callReplica(func(r *replica) {
				registered, _, err := r.engine.RegisterDefinition(w.patience(), w.definitions[i])
				if err != nil {
					panic(err) // no faults happen yet
				}
				w.definitions[i] = registered.Definition
			})
			left--
		}
	})
	w.run(faultTime, func() bool { return left == 0 })
}

// end kills every process.
func (w *Simulation) end() {
	w.kill(w.ambient)
	w.kill(w.operators)
	for _, r := range w.replicas {
		w.kill(r.process)
	}
	for _, p := range w.workers {
		w.kill(p)
	}
}

// committed records every transaction.
func (w *Simulation) committed(changes record.Changes) { w.evidence.committed(changes) }

// take gives a delivery to its process.
func (w *Simulation) take(to *process, d *delivery) {
	for _, r := range w.replicas {
		if r.process == to {
			r.take(d)
			return
		}
	}
	w.serve(to, d)
}

// pick draws a live process, or returns nil if there is none.
func (w *Simulation) pick(group []*process) *process {
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

func (w *Simulation) replicaProcesses() []*process {
	processes := make([]*process, len(w.replicas))
	for i, r := range w.replicas {
		processes[i] = r.process
	}
	return processes
}

// pause suspends the current task briefly.
func (w *Simulation) pause() { w.sleep(w.between(100*time.Microsecond, 20*time.Millisecond)) }
