package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/relay"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	lanes       = 2
	publishers  = 2
	overdue     = time.Minute
	loopEvery   = time.Second // interval of the polls
	forgetEvery = 100 * time.Millisecond
	followEvery = 250 * time.Millisecond
	unbounded   = 1 << 30
)

// replica is one process of the orchestrator: the production engine and relay, whose loops run here.
type replica struct {
	sim     *Simulation
	process *process
	engine  *engine.Engine
	relay   *relay.Relay
	skew    time.Duration

	deciding   []*task // by lane
	publishing []*task
	firing     *task
	callers    []*task // waiting for answers
}

// newReplica starts a process. It knows only what is stored.
func (s *Simulation) newReplica(number int) *replica {
	r := &replica{sim: s, process: &process{name: fmt.Sprintf("replica %d", number)}}
	if s.draw(replicaSkew) {
		r.skew = s.between(-10*time.Minute, 10*time.Minute)
	}
	store := &Store{Store: s.store, Line: faultyLine{s}, Committed: s.committed, Released: s.evidence.released}
	connection := publisher{sim: s, replica: r}
	r.relay = relay.New(relay.Config{
		Rows: store, Publisher: connection, Now: r.clock, Publishers: publishers,
		Published: func(ctx context.Context, id saga.CommandID, done func()) {
			r.engine.Published(ctx, id, done)
			r.added()
		},
	})
	r.engine = engine.New(engine.Config{
		Store: store, Outbox: outbox{r.relay, r}, Queues: connection,
		Lanes: lanes, LaneCapacity: unbounded, ForgetAt: 1, OverdueAfter: overdue,
		Environment: engine.Environment{Now: r.clock, NewID: s.newID, Pause: r.pause, Await: r.await, Within: s.within},
		Compiler:    flags{},
	})
	r.run(context.Background())
	return r
}

// run replaces the loops of engine.Run and relay.Run.
func (r *replica) run(ctx context.Context) {
	s := r.sim
	for lane := range r.engine.Lanes() {
		r.deciding = append(r.deciding, r.loop(func() bool {
			decided := r.engine.DecideBatch(ctx, lane)
			if decided {
				r.decided()
				r.added() // it may have handed requests over to another lane
			}
			return decided
		}))
	}
	for range publishers {
		r.publishing = append(r.publishing, r.loop(func() bool { return r.relay.PublishHanded(ctx) }))
	}
	r.firing = s.spawn(r.process, func() {
		for {
			wait := r.engine.FireTimers(ctx)
			r.added()
			s.rest(wait)
		}
	})
	r.every(loopEvery, func() bool {
		more := r.engine.PollStore(ctx)
		r.added()
		return more
	})
	r.every(loopEvery, func() bool { return r.relay.PublishClaimed(ctx) })
	r.every(followEvery, func() bool {
		_ = r.relay.Follow(ctx) // it is called again
		return r.relay.ReleaseHeld(ctx)
	})
	r.every(loopEvery, func() bool {
		r.relay.ProbeQueues(ctx)
		return false
	})
	r.every(forgetEvery, func() bool {
		r.engine.ForgetConfirmed(ctx)
		return false
	})
}

// loop calls turn while it has work, and then waits to be woken.
func (r *replica) loop(turn func() bool) *task {
	const forever = 1000 * time.Hour
	return r.sim.spawn(r.process, func() {
		for {
			if !turn() {
				r.sim.rest(forever)
			}
		}
	})
}

// every calls turn at an interval.
func (r *replica) every(interval time.Duration, turn func() bool) {
	s := r.sim
	s.spawn(r.process, func() {
		s.sleep(s.between(0, interval))
		for {
			if turn() {
				s.sleep(interval / 10)
			} else {
				s.sleep(interval)
			}
		}
	})
}

// added wakes the lanes, which may have work.
func (r *replica) added() { wake(r.deciding) }

// decided wakes the tasks that wait for the end of a batch.
func (r *replica) decided() {
	r.firing.wake()
	wake(r.callers)
	r.callers = r.callers[:0]
}

func wake(tasks []*task) {
	for _, t := range tasks {
		t.wake()
	}
}

func (r *replica) clock() time.Time { return r.sim.time().Add(r.skew) }

// pause implements engine.Environment.Pause.
func (r *replica) pause(ctx context.Context, about time.Duration) bool {
	r.sim.sleep(r.sim.between(about/2, about*3/2))
	return ctx.Err() == nil
}

// await implements engine.Environment.Await.
func (r *replica) await(ctx context.Context, answered <-chan struct{}) bool {
	r.added()
	for {
		select {
		case <-answered:
			return true
		default:
		}
		if ctx.Err() != nil {
			return false
		}
		r.callers = append(r.callers, r.sim.current)
		deadline, _ := ctx.Deadline()
		r.sim.rest(deadline.Sub(r.sim.time()))
	}
}

// take gives a message to the engine, which settles it after the commit.
func (r *replica) take(d *delivery) {
	s := r.sim
	settle := func(ok bool) {
		s.after(r.process, s.between(50*time.Microsecond, 2*time.Millisecond), func() {
			if ok {
				s.broker.acknowledge(d)
			} else {
				s.broker.requeue(d)
			}
		})
	}
	if d.Queue == deadQueue {
		r.engine.ReceiveDead(context.Background(), d.Message, settle)
	} else {
		r.engine.ReceiveReply(context.Background(), d.Message, settle)
	}
	r.added()
}

// outbox is the relay as the engine sees it. Its publishers wake when commands arrive.
type outbox struct {
	*relay.Relay

	replica *replica
}

// Dispatch implements engine.Outbox.
func (o outbox) Dispatch(commands []wire.Command) {
	o.Relay.Dispatch(commands)
	if len(commands) > 0 {
		wake(o.replica.publishing)
	}
}
