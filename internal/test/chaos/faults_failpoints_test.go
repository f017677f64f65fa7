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

// crashAtEveryPoint lets one replica, and then one worker, die at one place after the other, in the middle of its work.
func crashAtEveryPoint(w *world) int {
	replica, worker := w.replicas[len(w.replicas)-1], w.workers[0]
	points := 0
	for round := range times(2, 1) {
		for _, name := range orchestratorPoints() {
			points += w.crashAt(replica, name, 5+20*round)
		}
		for _, name := range workerPoints() {
			points += w.crashAt(worker, name, 5+10*round)
		}
	}
	for _, name := range append(orchestratorPoints(), workerPoints()...) {
		if hits(w.t, w.hitsLog)[name] == 0 {
			w.t.Errorf("no process died at %s", name)
		}
	}
	return points
}

// crashAt starts the process anew, to die the n-th time that it comes to the place, and then once more without that.
func (w *world) crashAt(p *process, name string, n int) int {
	whole := w.broken()
	defer whole()
	p.kill()
	p.start(fmt.Sprintf("FAILPOINTS=%s=exit@%d", name, n))
	for deadline := time.Now().Add(30 * time.Second); p.running(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			w.t.Errorf("nobody came to %s", name)
			return 0
		}
	}
	p.start()
	return 1
}

// stopInsideTransaction lets one replica stand still with locks held.
func stopInsideTransaction(w *world) int {
	whole := w.broken()
	stopped := w.replicas[len(w.replicas)-1]
	stopped.kill()
	stopped.start("FAILPOINTS=store/committing=stop@40")
	w.await(30*time.Second, "a replica should stand still inside a transaction", func() bool {
		return hits(w.t, w.hitsLog)["store/committing"] > 0
	})
	w.let(12 * time.Second)
	stopped.signal(syscall.SIGCONT)
	whole()
	return 1
}

// workersDie lets workers die between an effect and its reply, and between the reply and the acknowledgement.
func workersDie(w *world) int {
	whole := w.broken()
	var stops []func() int
	for i, p := range w.workers {
		environment := fmt.Sprintf("FAILPOINTS=%s=exit%%0.02", []string{"barrier/committed", "worker/acknowledging"}[i%2])
		p.kill()
		stops = append(stops, p.keep(environment))
	}
	w.let(lasting(20*time.Second, 4*time.Second))
	died := 0
	for _, stop := range stops {
		died += stop()
	}
	for _, p := range w.workers {
		p.kill()
		p.start()
	}
	whole()
	return hits(w.t, w.hitsLog)["barrier/committed"] + hits(w.t, w.hitsLog)["worker/acknowledging"]
}

// succeedAndFail lets the store report what it has done as failed, now and then.
func succeedAndFail(w *world) int {
	whole := w.broken()
	for _, p := range w.replicas {
		p.kill()
		p.start("FAILPOINTS=store/committed=error%0.02;store/claimed=error%0.05;store/due=error%0.05;store/outbox-changed=error%0.05")
	}
	w.let(lasting(20*time.Second, 5*time.Second))
	whole()
	return hits(w.t, w.hitsLog)["store/committed"]
}
