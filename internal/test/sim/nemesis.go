package sim

import "time"

// unleash has faults of their own time happen, each again and again until the healing.
func (w *World) unleash() {
	w.haunt(2*time.Second, 15*time.Second, w.crashReplica)
	w.haunt(2*time.Second, 15*time.Second, w.crashWorker)
	w.haunt(5*time.Second, 20*time.Second, w.pauseReplica)
	w.haunt(10*time.Second, 40*time.Second, func() {
		w.storeAwayUntil = w.now + w.between(100*time.Millisecond, 8*time.Second)
	})
	w.haunt(10*time.Second, 40*time.Second, func() {
		w.brokerAwayUntil = w.now + w.between(100*time.Millisecond, 8*time.Second)
	})
	w.haunt(10*time.Second, 40*time.Second, func() {
		w.broker.deleteQueue(queues()[w.chance.IntN(len(queues()))])
	})
}

func (w *World) haunt(least, most time.Duration, strike func()) {
	w.after(w.nature, w.between(least/2, most), func() {
		if w.healed {
			return
		}
		strike()
		w.haunt(least, most, strike)
	})
}

// crashReplica kills a replica wherever it is. What it held is delivered to others; what it knew is lost.
func (w *World) crashReplica() {
	n := w.chance.IntN(len(w.replicas))
	if w.replicas[n].process.dead {
		return
	}
	w.count(replicaCrash)
	w.stop(n)
	w.after(w.nature, w.between(100*time.Millisecond, 5*time.Second), func() { w.restart(n) })
}

func (w *World) stop(n int) {
	r := w.replicas[n]
	w.kill(r.process)
	w.broker.release(r.process)
}

func (w *World) restart(n int) {
	if w.replicas[n].process.dead {
		w.replicas[n] = w.newReplica(n)
		if w.replicas[n].skew != 0 {
			w.evidence.note("a replica starts with its clock %s off", w.replicas[n].skew)
		}
	}
}

func (w *World) crashWorker() {
	n := w.chance.IntN(len(w.workers))
	if w.workers[n].dead {
		return
	}
	w.count(workerCrash)
	w.kill(w.workers[n])
	w.broker.release(w.workers[n])
	w.after(w.nature, w.between(100*time.Millisecond, 5*time.Second), func() {
		w.workers[n] = &process{name: "worker"}
	})
}

// pauseReplica lets a replica stand still. Its broker takes it for gone after a while.
func (w *World) pauseReplica() {
	r := w.replicas[w.chance.IntN(len(w.replicas))]
	if r.process.dead {
		return
	}
	w.count(replicaPause)
	r.process.frozenUntil = w.now + w.between(100*time.Millisecond, 20*time.Second)
	w.after(w.nature, w.between(time.Second, 20*time.Second), func() {
		if r.process.frozenUntil > w.now {
			w.broker.release(r.process)
		}
	})
}

// heal lets no new fault happen: from here on, everything has to come to an end. Clocks are set right by a restart.
func (w *World) heal() {
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
