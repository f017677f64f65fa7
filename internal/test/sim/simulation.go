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
	s := &Simulation{
		schedule: newSchedule(seed), barrier: NewBarrier(),
		ambient: &process{name: "ambient"}, operators: &process{name: "operators"},
	}
	kept, err := memory.Open(memory.Config{Now: s.time})
	if err != nil {
		panic(err) // a store without a file does not fail
	}
	s.store, s.receive = kept, s.take
	s.broker = newBroker(s)
	s.evidence = newEvidence(s, traced)
	for n := range replicas {
		s.replicas = append(s.replicas, s.newReplica(n))
	}
	for range workers {
		s.workers = append(s.workers, &process{name: "worker"})
	}
	for n := range definitions {
		s.definitions = append(s.definitions, s.newDefinition(n))
	}
	return s
}

// simulate runs all phases with that many sagas.
func (s *Simulation) simulate(sagas int) {
	defer s.end()
	s.register()
	s.rates = rates()
	s.startFaults()
	for n := range sagas {
		s.after(s.operators, s.between(0, faultTime), func() { s.spawn(s.operators, func() { s.start(n) }) })
	}
	s.run(s.now+faultTime, never)
	s.heal()
	healed := s.now
	if !s.run(healed+recoveryTime, s.every(checkEvery, s.evidence.settled)) {
		s.evidence.reportStalled("after the faults")
	}
	s.evidence.healthyFrom = healed + healthyFrom
	s.spawn(s.operators, s.repair)
	if !s.run(healed+repair, s.every(checkEvery, s.atRest)) {
		s.evidence.reportStalled("after the repairs")
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
func (s *Simulation) atRest() bool {
	return s.zombies == 0 && s.broker.inside == 0 && s.evidence.ended() && s.evidence.outboxEmpty()
}

// register registers the definitions through a replica.
func (s *Simulation) register() {
	left := len(s.definitions)
	s.spawn(s.operators, func() {
		for i := range s.definitions {
			s.callReplica(func(r *replica) {
				registered, _, err := r.engine.RegisterDefinition(s.patience(), s.definitions[i])
				if err != nil {
					panic(err) // no faults happen yet
				}
				s.definitions[i] = registered.Definition
			})
			left--
		}
	})
	s.run(faultTime, func() bool { return left == 0 })
}

// end kills every process.
func (s *Simulation) end() {
	s.kill(s.ambient)
	s.kill(s.operators)
	for _, r := range s.replicas {
		s.kill(r.process)
	}
	for _, p := range s.workers {
		s.kill(p)
	}
}

// committed records every transaction.
func (s *Simulation) committed(changes record.Changes) { s.evidence.committed(changes) }

// take gives a delivery to its process.
func (s *Simulation) take(to *process, d *delivery) {
	for _, r := range s.replicas {
		if r.process == to {
			r.take(d)
			return
		}
	}
	s.serve(to, d)
}

// pick draws a live process, or returns nil if there is none.
func (s *Simulation) pick(group []*process) *process {
	var fit [max(replicas, workers)]*process
	n := 0
	for _, p := range group {
		if !p.dead && p.frozenUntil <= s.now {
			fit[n] = p
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return fit[s.chance.IntN(n)]
}

func (s *Simulation) replicaProcesses() []*process {
	processes := make([]*process, len(s.replicas))
	for i, r := range s.replicas {
		processes[i] = r.process
	}
	return processes
}

// pause suspends the current task briefly.
func (s *Simulation) pause() { s.sleep(s.between(100*time.Microsecond, 20*time.Millisecond)) }
