package relay

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	// followEvery is the interval at which the settings of queues are read: every replica goes by new ones this soon.
	followEvery = 250 * time.Millisecond
	// sweepEvery is the interval at which queues with settings are looked at even if nothing is known to wait: commands
	// may have been left over by a process that died.
	sweepEvery = time.Second
	// paceEvery is the interval at which commands of throttled queues leave: half of what record.QueueSettings.Burst is for.
	paceEvery = 100 * time.Millisecond
	// releasePause is the shortest pause between two releases.
	releasePause = 10 * time.Millisecond
	// longestPause is the longest one: after a release that took long, the database rests as long, but no longer.
	longestPause = time.Second
)

// controls is a cached copy of the settings of queues. It is empty unless an operator has set something, and then the
// path of commands costs one load of a pointer more.
type controls struct {
	known   atomic.Pointer[map[string]record.QueueControl] // nil: never read
	waiting atomic.Bool                                    // commands of a capped queue are held back
	paced   atomic.Bool                                    // commands of a throttled queue are held back
	changed wait.Signal                                    // commands may leave
	sweptAt atomic.Int64                                   // of the relay's clock, in Unix nanoseconds
	reads   atomic.Int64                                   // numbers the reads
	unread  streak

	applying sync.Mutex
	applied  int64 // the number of the read that is known
}

func (c *controls) of(queue string) record.QueueControl {
	if known := c.known.Load(); known != nil {
		return (*known)[queue]
	}
	return record.QueueControl{}
}

// holds reports whether a command has to wait for a release.
func (c *controls) holds(command wire.Command) bool {
	return c.of(command.Queue).Holds(command.ID.Direction)
}

// controlled returns the queues with settings. Their commands are not claimed, but released.
func (c *controls) controlled() (queues []string) {
	if known := c.known.Load(); known != nil {
		for queue, control := range *known {
			if !control.Free() {
				queues = append(queues, queue)
			}
		}
	}
	return queues
}

// Hold marks the commands that the settings of their queues hold back. They are stored so that no process publishes them
// before ReleaseHeld takes them.
func (r *Relay) Hold(commands []wire.Command) {
	known := r.controls.known.Load()
	if known == nil || len(*known) == 0 {
		return
	}
	for i := range commands {
		commands[i].Held = (*known)[commands[i].Queue].Holds(commands[i].ID.Direction)
	}
}

// passes reports whether a command may be published from memory.
func (r *Relay) passes(command *wire.Command) bool {
	return !r.controls.holds(*command) && !r.gates.isClosed(command.Queue)
}

// Freed is called when replies or timeouts were stored: a capped queue may have room.
func (r *Relay) Freed() {
	if r.controls.waiting.Load() {
		r.controls.changed.Notify()
	}
}

// Follow reads the settings of queues. After a change in this process it is called at once; other replicas read them
// within followEvery.
func (r *Relay) Follow(ctx context.Context) error {
	number := r.controls.reads.Add(1)
	controls, err := r.config.Rows.QueueControls(ctx)
	if err != nil {
		if ctx.Err() == nil && r.controls.unread.failed() {
			r.config.Logger.Warn("reading the settings of queues failed, trying again", "error", err)
		}
		return err
	}
	r.controls.unread.ended()
	known := make(map[string]record.QueueControl, len(controls))
	for _, control := range controls {
		known[control.Queue] = control
	}
	if r.controls.apply(number, &known) {
		r.filled.Notify() // nothing was published before
	}
	r.controls.changed.Notify()
	return nil
}

// apply makes the result of a read known, unless that of a later one is. first reports that nothing was known.
func (c *controls) apply(number int64, known *map[string]record.QueueControl) (first bool) {
	c.applying.Lock()
	defer c.applying.Unlock()
	if number < c.applied {
		return false
	}
	c.applied = number
	waiting, paced := false, false
	for _, control := range *known {
		waits := control.Waiting && !control.Paused
		waiting, paced = waiting || waits && control.MaxOut > 0, paced || waits && control.Rate > 0
	}
	c.waiting.Store(waiting)
	c.paced.Store(paced)
	return c.known.Swap(known) == nil
}

// Settle makes this process go by settings that were just stored, and returns when other replicas do too: they read them
// this often. It ends early with ctx.
func (r *Relay) Settle(ctx context.Context) {
	if err := r.Follow(ctx); err == nil {
		wait.For(ctx, followEvery)
	}
}

// informed reads the settings of queues if this process has never done so: until then it publishes nothing.
func (r *Relay) informed(ctx context.Context) bool {
	return r.controls.known.Load() != nil || r.Follow(ctx) == nil
}

// follow keeps the settings current until ctx ends.
func (r *Relay) follow(ctx context.Context) {
	for pause := time.Duration(0); wait.For(ctx, pause); pause = followEvery {
		_ = r.Follow(ctx) // it has logged the error
	}
}

// releaseHeld releases commands until ctx ends.
func (r *Relay) releaseHeld(ctx context.Context) {
	pace := time.NewTicker(paceEvery)
	defer pace.Stop()
	for {
		select {
		case <-r.controls.changed.C():
		case <-pace.C:
			if !r.controls.paced.Load() {
				continue
			}
		case <-ctx.Done():
			return
		}
		began := time.Now()
		for r.ReleaseHeld(ctx) && ctx.Err() == nil { // until nothing may leave
		}
		wait.For(ctx, max(releasePause, min(time.Since(began), longestPause)))
	}
}

// ReleaseHeld publishes what may leave of the commands that settings of their queues hold back, one batch of each queue.
// more reports that there may be others.
func (r *Relay) ReleaseHeld(ctx context.Context) (more bool) {
	known := r.controls.known.Load()
	if known == nil || len(*known) == 0 || r.config.Publisher.CanPublish() != nil {
		return false
	}
	sweep := r.config.Now().UnixNano()-r.controls.sweptAt.Load() >= int64(sweepEvery)
	if sweep {
		r.controls.sweptAt.Store(r.config.Now().UnixNano())
	}
	for _, queue := range slices.Sorted(maps.Keys(*known)) {
		control := (*known)[queue]
		if !sweep && (control.Paused || !control.Waiting) || r.gates.isClosed(queue) {
			continue
		}
		commands := r.release(ctx, queue, r.config.BatchSize)
		if len(commands) > 0 {
			r.publish(ctx, commands, time.Time{})
		}
		more = more || len(commands) == r.config.BatchSize
	}
	return more
}

func (r *Relay) release(ctx context.Context, queue string, most int) []wire.Command {
	commands, err := r.config.Rows.ReleaseHeld(ctx, record.HeldClaim{Queue: queue, Limit: most, Bytes: batchBytes})
	if err == nil {
		r.unread.ended()
	} else if ctx.Err() == nil && r.unread.failed() {
		r.config.Logger.Warn("not all commands of a queue were released, trying again", "queue", queue, "error", err)
	}
	return commands
}

// dispatchHeld notes that commands which were just stored are held back.
func (r *Relay) dispatchHeld(queue string) {
	known := r.controls.known.Load()
	if known == nil || (*known)[queue].Waiting || (*known)[queue].Paused {
		return // ReleaseHeld looks anyway, or for nothing
	}
	next := maps.Clone(*known)
	control := next[queue]
	control.Queue, control.Waiting = queue, true
	next[queue] = control
	if r.controls.known.CompareAndSwap(known, &next) {
		r.controls.waiting.Store(control.MaxOut > 0 || r.controls.waiting.Load())
		r.controls.paced.Store(control.Rate > 0 || r.controls.paced.Load())
		r.controls.changed.Notify()
	}
}
