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

func crashPostgres(w *world) int {
	n := times(4, 1)
	for range n {
		whole := w.broken()
		w.postgres(w.t).Stop(syscall.SIGQUIT)
		w.let(time.Second)
		w.postgres(w.t).Start()
		w.awaitPostgres()
		whole()
		w.let(lasting(4*time.Second, 2*time.Second))
	}
	return n
}

func (w *world) awaitPostgres() {
	w.await(60*time.Second, "Postgres should be back", func() bool { return w.count(`select 1`) == 1 })
}

func killRabbitMQ(w *world) int {
	whole := w.broken()
	w.rabbitmq(w.t).Stop(syscall.SIGKILL)
	w.let(lasting(3*time.Second, time.Second))
	w.rabbitmq(w.t).Start()
	w.awaitRabbitMQ()
	whole()
	return 1
}
