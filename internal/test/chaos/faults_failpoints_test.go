package chaos

import (
	"fmt"
	"syscall"
	"time"
)

// orchestratorPoints and workerPoints are the places where a crash matters.
func orchestratorPoints() []string {
	return []string{
		"store/beginning", "store/committing", "store/committed", "engine/committed", "engine/acknowledging",
		"engine/receiving", "engine/forgetting", "relay/publishing", "relay/confirmed", "rabbit/acknowledging",
	}
}

func workerPoints() []string {
	return []string{"barrier/committing", "barrier/committed", "worker/replying", "worker/acknowledging"}
}

// crashAtEveryPoint kills one replica, and then one worker, at one place after the other, while they work.
func crashAtEveryPoint(fx *fixture) int {
	replica, worker := fx.replicas[len(fx.replicas)-1], fx.workers[0]
	points := 0
	for round := range times(2, 1) {
		for _, name := range orchestratorPoints() {
			points += fx.crashAt(replica, name, 5+20*round)
		}
		for _, name := range workerPoints() {
			points += fx.crashAt(worker, name, 5+10*round)
		}
	}
	for _, name := range append(orchestratorPoints(), workerPoints()...) {
		if hits(fx.t, fx.hitsLog)[name] == 0 {
			fx.t.Errorf("no process died at %s", name)
		}
	}
	return points
}

// crashAt restarts the process so that it dies when it reaches the place for the n-th time, and then restarts it
// without the failpoint. One replica gets the replies: if it is another one, that one has to stop for a while.
func (fx *fixture) crashAt(p *process, name string, n int) int {
	whole := fx.broken()
	defer whole()
	p.kill()
	p.start(fmt.Sprintf("FAILPOINTS=%s=exit@%d", name, n))
	died := fx.dies(p, 5*time.Second)
	if !died {
		for _, other := range fx.replicas {
			if other != p {
				other.kill()
				defer other.start()
			}
		}
		died = fx.dies(p, 30*time.Second)
	}
	if !died {
		fx.t.Errorf("no process reached %s", name)
		return 0
	}
	p.start()
	return 1
}

// dies waits for the end of a process, and reports whether it came in time.
func (fx *fixture) dies(p *process, within time.Duration) bool {
	for deadline := time.Now().Add(within); p.running() && time.Now().Before(deadline); {
		fx.let(20 * time.Millisecond)
	}
	return !p.running()
}

// stopInsideTransaction stalls one replica with locks held.
func stopInsideTransaction(fx *fixture) int {
	whole := fx.broken()
	stopped := fx.replicas[len(fx.replicas)-1]
	stopped.kill()
	stopped.start("FAILPOINTS=store/committing=stop@40")
	fx.await(30*time.Second, "a replica should stall inside a transaction", func() bool {
		return hits(fx.t, fx.hitsLog)["store/committing"] > 0
	})
	fx.let(12 * time.Second)
	stopped.signal(syscall.SIGCONT)
	whole()
	return 1
}

// workersDie kills workers between an effect and its reply, and between the reply and the acknowledgement.
func workersDie(fx *fixture) int {
	whole := fx.broken()
	var stops []func() int
	for i, p := range fx.workers {
		environment := fmt.Sprintf("FAILPOINTS=%s=exit%%0.02", []string{"barrier/committed", "worker/acknowledging"}[i%2])
		p.kill()
		stops = append(stops, p.keep(environment))
	}
	fx.let(lasting(20*time.Second, 4*time.Second))
	died := 0
	for _, stop := range stops {
		died += stop()
	}
	for _, p := range fx.workers {
		p.kill()
		p.start()
	}
	whole()
	return hits(fx.t, fx.hitsLog)["barrier/committed"] + hits(fx.t, fx.hitsLog)["worker/acknowledging"]
}

// succeedAndFail makes the store report some successful calls as failed.
func succeedAndFail(fx *fixture) int {
	whole := fx.broken()
	for _, p := range fx.replicas {
		p.kill()
		p.start("FAILPOINTS=store/committed=error%0.02;store/claimed=error%0.05;store/due=error%0.05;store/outbox-changed=error%0.05")
	}
	fx.let(lasting(20*time.Second, 5*time.Second))
	whole()
	return hits(fx.t, fx.hitsLog)["store/committed"]
}
