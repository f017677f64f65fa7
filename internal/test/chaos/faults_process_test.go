package chaos

import (
	"syscall"
	"time"
)

// times is how often a fault is repeated.
func times(all, short int) int {
	if *everything {
		return all
	}
	return short
}

// lasting is how long a fault lasts.
func lasting(all, short time.Duration) time.Duration {
	if *everything {
		return all
	}
	return short
}

func killReplicas(w *world) int {
	n := times(3, 1)
	for i := range n {
		whole := w.broken()
		w.replicas[i%len(w.replicas)].kill()
		w.let(lasting(5*time.Second, 4*time.Second))
		w.replicas[i%len(w.replicas)].start()
		whole()
		w.let(time.Second)
	}
	return n
}

func killAllReplicas(w *world) int {
	whole := w.broken()
	for _, p := range w.replicas {
		p.kill()
	}
	w.let(lasting(10*time.Second, 2*time.Second))
	for _, p := range w.replicas {
		p.start()
	}
	w.ready()
	whole()
	return len(w.replicas)
}

// standStill stops a replica for longer than its leases last, and lets it go on as if nothing had been.
func standStill(w *world) int {
	n := times(2, 1)
	for i := range n {
		whole := w.broken()
		w.replicas[i].signal(syscall.SIGSTOP)
		w.let(lasting(12*time.Second, 5*time.Second))
		w.replicas[i].signal(syscall.SIGCONT)
		whole()
		w.let(2 * time.Second)
	}
	return n
}
