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
	loopEvery   = time.Second // of the polls
	forgetEvery = 100 * time.Millisecond
	unbounded   = 1 << 30
)

// replica is one process of the orchestrator: the production engine and relay, whose loops' turns are taken here.
type replica struct {
	world   *World
	process *process
	engine  *engine.Engine
	relay   *relay.Relay
	skew    time.Duration

	deciding   []*task // by lane
	publishing []*task
	firing     *task
	callers    []*task // that wait for answers
}

// newReplica starts a process. Of those before it, it knows what is stored and nothing else.
func (w *World) newReplica(number int) *replica {
	r := &replica{world: w, process: &process{name: fmt.Sprintf("replica %d", number)}}
	if w.happens(replicaSkew) {
		r.skew = w.between(-10*time.Minute, 10*time.Minute)
	}
	store := &Store{Store: w.store, Line: unsoundLine{w}, Committed: w.committed}
	connection := publisher{world: w, replica: r}
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
		Environment: engine.Environment{Now: r.clock, NewID: w.newID, Pause: r.pause, Await: r.await},
	})
	r.run(context.Background())
	return r
}

// run takes the turns of engine.Run and relay.Run.
func (r *replica) run(ctx context.Context) {
	w := r.world
	for lane := range lanes {
		r.deciding = append(r.deciding, r.loop(func() bool {
			decided := r.engine.DecideBatch(ctx, lane)
			if decided {
				r.decided()
			}
			return decided
		}))
	}
	for range publishers {
		r.publishing = append(r.publishing, r.loop(func() bool { return r.relay.PublishHanded(ctx) }))
	}
	r.firing = w.spawn(r.process, func() {
		for {
			wait := r.engine.FireTimers(ctx)
			r.added()
			w.rest(wait)
		}
	})
	r.every(loopEvery, func() bool {
		more := r.engine.PollStore(ctx)
		r.added()
		return more
	})
	r.every(loopEvery, func() bool { return r.relay.PublishClaimed(ctx) })
	r.every(loopEvery, func() bool {
		r.relay.ProbeQueues(ctx)
		return false
	})
	r.every(forgetEvery, func() bool {
		r.engine.ForgetConfirmed(ctx)
		return false
	})
}

// loop takes turns while there is something to do, and then rests until it is woken.
func (r *replica) loop(turn func() bool) *task {
	const forever = 1000 * time.Hour
	return r.world.spawn(r.process, func() {
		for {
			if !turn() {
				r.world.rest(forever)
			}
		}
	})
}

// every takes turns again and again.
func (r *replica) every(interval time.Duration, turn func() bool) {
	w := r.world
	w.spawn(r.process, func() {
		w.sleep(w.between(0, interval))
		for {
			if turn() {
				w.sleep(interval / 10)
			} else {
				w.sleep(interval)
			}
		}
	})
}

// added wakes the lanes: there may be something in them.
func (r *replica) added() { wake(r.deciding) }

// decided wakes those who wait for the end of a batch.
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

func (r *replica) clock() time.Time { return r.world.time().Add(r.skew) }

// pause is engine.Environment's.
func (r *replica) pause(ctx context.Context, about time.Duration) bool {
	r.world.sleep(r.world.between(about/2, about*3/2))
	return ctx.Err() == nil
}

// await is engine.Environment's.
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
		r.callers = append(r.callers, r.world.current)
		deadline, _ := ctx.Deadline()
		r.world.rest(deadline.Sub(r.world.time()))
	}
}

// take brings a message to the engine, which settles it once it is stored.
func (r *replica) take(d *delivery) {
	w := r.world
	settle := func(ok bool) {
		w.after(r.process, w.between(50*time.Microsecond, 2*time.Millisecond), func() {
			if ok {
				w.broker.acknowledge(d)
			} else {
				w.broker.giveBack(d)
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

// outbox is the relay as the engine has it, whose publishers wake when something is handed over.
type outbox struct {
	*relay.Relay

	replica *replica
}

// Dispatch is engine.Outbox's.
func (o outbox) Dispatch(commands []wire.Command) {
	o.Relay.Dispatch(commands)
	if len(commands) > 0 {
		wake(o.replica.publishing)
	}
}
