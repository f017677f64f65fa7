package sim

import "time"

// startFaults starts the faults that follow a timer. They repeat until heal.
func (w *Simulation) startFaults() {
	w.repeatFault(2*time.Second, 15*time.Second, w.crashReplica)
	w.repeatFault(2*time.Second, 15*time.Second, w.crashWorker)
	w.repeatFault(5*time.Second, 20*time.Second, w.pauseReplica)
	w.repeatFault(10*time.Second, 40*time.Second, func() {
		w.storeAwayUntil = w.now + w.between(100*time.Millisecond, 8*time.Second)
	})
	w.repeatFault(10*time.Second, 40*time.Second, func() {
		w.brokerAwayUntil = w.now + w.between(100*time.Millisecond, 8*time.Second)
	})
	w.repeatFault(10*time.Second, 40*time.Second, func() {
		w.broker.deleteQueue(queues()[w.chance.IntN(len(queues()))])
	})
}

func (w *Simulation) repeatFault(least, most time.Duration, inject func()) {
	w.after(w.ambient, w.between(least/2, most), func() {
		if w.healed {
			return
		}
		inject()
		w.repeatFault(least, most, inject)
	})
}

// crashReplica kills a replica at any point. Its deliveries go to others, and its memory is lost.
func (w *Simulation) crashReplica() {
	n := w.chance.IntN(len(w.replicas))
	if w.replicas[n].process.dead {
		return
	}
	w.count(replicaCrash)
	w.stop(n)
	w.after(w.ambient, w.between(100*time.Millisecond, 5*time.Second), func() { w.restart(n) })
}

func (w *Simulation) stop(n int) {
	r := w.replicas[n]
	w.kill(r.process)
	w.broker.release(r.process)
}

func (w *Simulation) restart(n int) {
	if w.replicas[n].process.dead {
		w.replicas[n] = w.newReplica(n)
		if w.replicas[n].skew != 0 {
			w.evidence.traceLine("a replica starts with its clock %s off", w.replicas[n].skew)
		}
	}
}

func (w *Simulation) crashWorker() {
	n := w.chance.IntN(len(w.workers))
	if w.workers[n].dead {
		return
	}
	w.count(workerCrash)
	w.kill(w.workers[n])
	w.broker.release(w.workers[n])
	w.after(w.ambient, w.between(100*time.Millisecond, 5*time.Second), func() {
		w.workers[n] = &process{name: "worker"}
	})
}

// pauseReplica freezes a replica. After a while the broker closes its connection.
func (w *Simulation) pauseReplica() {
	r := w.replicas[w.chance.IntN(len(w.replicas))]
	if r.process.dead {
		return
	}
	w.count(replicaPause)
	r.process.frozenUntil = w.now + w.between(100*time.Millisecond, 20*time.Second)
	w.after(w.ambient, w.between(time.Second, 20*time.Second), func() {
		if r.process.frozenUntil > w.now {
			w.broker.release(r.process)
		}
	})
}

// heal stops all faults, so that every saga must come to an end. A restart corrects wrong clocks.
func (w *Simulation) heal() {
	w.healed = true
	w.storeAwayUntil, w.brokerAwayUntil = 0, 0
	w.broker.declare(queues())
	for n, r := range w.replicas {
		if r.skew != 0 && !r.process.dead {
			w.stop(n)
		}
		w.restart(n)
	}
}
