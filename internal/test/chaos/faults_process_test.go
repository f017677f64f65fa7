package chaos

import (
	"syscall"
	"time"
)

// times is how often a fault is repeated, in full and in the short mix.
func times(all, short int) int {
	if *everything {
		return all
	}
	return short
}

// lasting is how long a fault lasts, in full and in the short mix.
func lasting(all, short time.Duration) time.Duration {
	if *everything {
		return all
	}
	return short
}

func killReplicas(fx *fixture) int {
	n := times(3, 1)
	for i := range n {
		whole := fx.broken()
		fx.replicas[i%len(fx.replicas)].kill()
		fx.let(lasting(5*time.Second, 4*time.Second))
		fx.replicas[i%len(fx.replicas)].start()
		whole()
		fx.let(time.Second)
	}
	return n
}

func killAllReplicas(fx *fixture) int {
	whole := fx.broken()
	for _, p := range fx.replicas {
		p.kill()
	}
	fx.let(lasting(10*time.Second, 2*time.Second))
	for _, p := range fx.replicas {
		p.start()
	}
	fx.ready()
	whole()
	return len(fx.replicas)
}

// standStill freezes a replica for longer than its leases, and resumes it.
func standStill(fx *fixture) int {
	n := times(2, 1)
	for i := range n {
		whole := fx.broken()
		fx.replicas[i].signal(syscall.SIGSTOP)
		fx.let(lasting(12*time.Second, 5*time.Second))
		fx.replicas[i].signal(syscall.SIGCONT)
		whole()
		fx.let(2 * time.Second)
	}
	return n
}
