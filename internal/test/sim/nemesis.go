package sim

import (
	"context"
	"errors"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// startFaults starts the faults that follow a timer. They repeat until heal.
func (s *Simulation) startFaults() {
	s.repeatFault(2*time.Second, 15*time.Second, s.crashReplica)
	s.repeatFault(2*time.Second, 15*time.Second, s.crashWorker)
	s.repeatFault(5*time.Second, 20*time.Second, s.pauseReplica)
	s.repeatFault(10*time.Second, 40*time.Second, func() {
		s.storeAwayUntil = s.now + s.between(100*time.Millisecond, 8*time.Second)
	})
	s.repeatFault(10*time.Second, 40*time.Second, func() {
		s.brokerAwayUntil = s.now + s.between(100*time.Millisecond, 8*time.Second)
	})
	s.repeatFault(10*time.Second, 40*time.Second, func() {
		s.broker.deleteQueue(queues()[s.chance.IntN(len(queues()))])
	})
	s.repeatFault(2*time.Second, 10*time.Second, s.setQueue)
}

// setQueue makes an operator pause, cap or throttle a queue, or take that away.
func (s *Simulation) setQueue() {
	s.count(queueSet)
	s.change(queues()[s.chance.IntN(len(queues()))], func(q *record.QueueSettings) {
		switch s.chance.IntN(5) {
		case 0:
			q.Paused = !q.Paused
		case 1, 2:
			q.MaxOut = s.chance.IntN(4) // 0: no cap
		case 3:
			q.Rate = float64(s.chance.IntN(4)) * 5
		default:
			*q = record.QueueSettings{}
		}
	})
}

func (s *Simulation) change(queue string, change func(*record.QueueSettings)) {
	_, err := s.store.SetQueue(context.Background(), queue, func(q *record.QueueSettings) error {
		change(q)
		return nil
	})
	if errors.Is(err, record.ErrQueueNotFound) {
		return // no definition uses it
	}
	if err != nil {
		panic(err) // the store in memory does not fail
	}
}

func (s *Simulation) repeatFault(least, most time.Duration, inject func()) {
	s.after(s.ambient, s.between(least/2, most), func() {
		if s.healed {
			return
		}
		inject()
		s.repeatFault(least, most, inject)
	})
}

// crashReplica kills a replica at any point. Its deliveries go to others, and its memory is lost.
func (s *Simulation) crashReplica() {
	n := s.chance.IntN(len(s.replicas))
	if s.replicas[n].process.dead {
		return
	}
	s.count(replicaCrash)
	s.stop(n)
	s.after(s.ambient, s.between(100*time.Millisecond, 5*time.Second), func() { s.restart(n) })
}

func (s *Simulation) stop(n int) {
	r := s.replicas[n]
	s.kill(r.process)
	s.broker.release(r.process)
}

func (s *Simulation) restart(n int) {
	if s.replicas[n].process.dead {
		s.replicas[n] = s.newReplica(n)
		if s.replicas[n].skew != 0 {
			s.evidence.traceLine("a replica starts with its clock %s off", s.replicas[n].skew)
		}
	}
}

func (s *Simulation) crashWorker() {
	n := s.chance.IntN(len(s.workers))
	if s.workers[n].dead {
		return
	}
	s.count(workerCrash)
	s.kill(s.workers[n])
	s.broker.release(s.workers[n])
	s.after(s.ambient, s.between(100*time.Millisecond, 5*time.Second), func() {
		s.workers[n] = &process{name: "worker"}
	})
}

// pauseReplica freezes a replica. After a while the broker closes its connection.
func (s *Simulation) pauseReplica() {
	r := s.replicas[s.chance.IntN(len(s.replicas))]
	if r.process.dead {
		return
	}
	s.count(replicaPause)
	r.process.frozenUntil = s.now + s.between(100*time.Millisecond, 20*time.Second)
	s.after(s.ambient, s.between(time.Second, 20*time.Second), func() {
		if r.process.frozenUntil > s.now {
			s.broker.release(r.process)
		}
	})
}

// heal stops all faults, so that every saga must come to an end. A restart corrects wrong clocks.
func (s *Simulation) heal() {
	s.healed = true
	s.storeAwayUntil, s.brokerAwayUntil = 0, 0
	for _, queue := range queues() {
		s.change(queue, func(q *record.QueueSettings) { *q = record.QueueSettings{} })
	}
	s.broker.declare(queues())
	for n, r := range s.replicas {
		if r.skew != 0 && !r.process.dead {
			s.stop(n)
		}
		s.restart(n)
	}
}
