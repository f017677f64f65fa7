package relay

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Relay publishes commands from the outbox to the broker. It is the engine's Outbox.
type Relay struct {
	config      Config
	filled      wait.Signal // fires when handed may not be empty
	taken       wait.Signal // fires when commands were taken from handed
	gates       *gates
	refusals    refusals
	receipts    receipts
	unconfirmed streak // batches with unconfirmed commands
	unread      streak // claims that failed
	controls    controls

	mu          sync.Mutex
	handed      []handed
	handedBytes int // of their bodies
	confirmed   []saga.CommandID
}

// handed is a command that this process has committed and may publish until its lease expires.
type handed struct {
	command wire.Command
	since   time.Time
}

// New returns a relay. Run starts it.
func New(config Config) *Relay {
	config = config.withDefaults()
	return &Relay{
		config: config, filled: wait.NewSignal(), taken: wait.NewSignal(), gates: newGates(config.Now),
		receipts: receipts{came: wait.NewSignal()}, controls: controls{changed: wait.NewSignal()},
	}
}

// Dispatch takes over committed commands. It never blocks: what exceeds the memory limits, and what is held back, is left
// to the table.
func (r *Relay) Dispatch(commands []wire.Command) {
	if len(commands) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.config.Now()
	r.handed = slices.Grow(r.handed, len(commands))
	for _, command := range commands[:min(len(commands), max(0, r.config.Capacity-len(r.handed)))] {
		if command.Held {
			r.dispatchHeld(command.Queue)
			continue
		}
		if r.handedBytes+len(command.Body) > maxHandedBytes {
			break
		}
		r.handedBytes += len(command.Body)
		r.handed = append(r.handed, handed{command: command, since: now})
	}
	r.filled.Notify()
}

// Await slows callers down while many commands are unpublished, for a moment at most: an unavailable broker must not
// keep sagas from being stored.
func (r *Relay) Await(ctx context.Context) {
	if !r.crowded() {
		return
	}
	pause := time.NewTimer(crowdPause)
	defer pause.Stop()
	for r.crowded() {
		select {
		case <-r.taken.C():
		case <-pause.C:
			return
		case <-ctx.Done():
			return
		}
	}
	r.taken.Notify() // other callers may be waiting
}

func (r *Relay) crowded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return float64(len(r.handed)) > roomAt*float64(r.config.Capacity)
}

// TakeConfirmed returns at most `most` ids of published commands whose rows can be deleted, or none if there are fewer
// than `least`.
func (r *Relay) TakeConfirmed(least, most int) []saga.CommandID {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(most, len(r.confirmed))
	if n == 0 || n < least {
		return nil
	}
	taken := append([]saga.CommandID(nil), r.confirmed[:n]...)
	r.confirmed = append(r.confirmed[:0], r.confirmed[n:]...)
	return taken
}

// ReturnConfirmed returns ids whose rows were not deleted after all.
func (r *Relay) ReturnConfirmed(ids []saga.CommandID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.confirmed = append(r.confirmed, ids...)
}

// Run publishes until ctx ends, and waits for what is in progress. It calls PublishHanded, PublishClaimed, ReleaseHeld,
// Follow and ProbeQueues in loops; a simulation calls them itself.
func (r *Relay) Run(ctx context.Context) {
	var work sync.WaitGroup
	for range r.config.Publishers {
		work.Go(func() { r.publishHanded(ctx) })
	}
	work.Go(func() { r.publishClaimed(ctx) })
	work.Go(func() { r.probeQueues(ctx) })
	work.Go(func() { r.follow(ctx) })
	work.Go(func() { r.releaseHeld(ctx) })
	work.Go(func() { r.settleLate(ctx) })
	work.Wait()
}

// publishHanded publishes what this process has committed, as it comes.
func (r *Relay) publishHanded(ctx context.Context) {
	for {
		select {
		case <-r.filled.C():
		case <-ctx.Done():
			return
		}
		for r.PublishHanded(ctx) { // until nothing is left
		}
	}
}

// PublishHanded publishes a batch of commands that this process has committed. It returns false if there are none.
func (r *Relay) PublishHanded(ctx context.Context) bool {
	if !r.informed(ctx) {
		return false
	}
	batch := r.takeHanded()
	if len(batch) == 0 {
		return false
	}
	commands := make([]wire.Command, 0, len(batch))
	for i := range batch {
		if r.passes(&batch[i].command) { // the others wait in the table
			commands = append(commands, batch[i].command)
		}
	}
	if len(commands) > 0 {
		r.publish(ctx, commands, batch[0].since)
	}
	return true
}

// takeHanded takes a batch of commands whose lease still holds. Expired ones are left to the table.
func (r *Relay) takeHanded() []handed {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.config.Publisher.CanPublish() != nil {
		r.handed, r.handedBytes = nil, 0
		return nil
	}
	oldest := r.config.Now().Add(margin - r.config.Lease)
	expired := 0
	for expired < len(r.handed) && r.handed[expired].since.Before(oldest) {
		r.handedBytes -= len(r.handed[expired].command.Body)
		expired++
	}
	n, bytes := expired, 0
	for n < len(r.handed) && n-expired < r.config.BatchSize && (n == expired || bytes < batchBytes) {
		bytes += len(r.handed[n].command.Body)
		n++
	}
	batch := r.handed[expired:n:n]
	r.handed = r.handed[n:]
	r.handedBytes -= bytes
	r.taken.Notify()
	if len(r.handed) == 0 {
		r.handed = nil // release the memory of published commands
	} else {
		r.filled.Notify() // another publisher may take the rest
	}
	return batch
}

// publishClaimed claims and publishes periodically until ctx ends.
func (r *Relay) publishClaimed(ctx context.Context) {
	for pause := time.Duration(0); wait.For(ctx, pause); pause = r.config.ClaimEvery {
		for r.PublishClaimed(ctx) && ctx.Err() == nil { // until nothing is left
		}
	}
}

// PublishClaimed claims and publishes a batch of commands that no process is publishing. more reports that there may be
// others.
func (r *Relay) PublishClaimed(ctx context.Context) (more bool) {
	if r.config.Publisher.CanPublish() != nil || !r.informed(ctx) {
		return false
	}
	commands, err := r.config.Rows.ClaimOutbox(ctx, record.OutboxClaim{
		Limit: r.config.BatchSize, Bytes: batchBytes, Except: append(r.gates.list(false), r.controls.controlled()...),
	})
	if err == nil {
		r.unread.ended()
	} else if ctx.Err() == nil && r.unread.failed() {
		r.config.Logger.Warn("reading the outbox failed, trying again", "error", err)
	}
	claimed := len(commands)
	commands = slices.DeleteFunc(commands, r.controls.holds) // settings that came meanwhile: they wait in the table
	if len(commands) > 0 {
		r.publish(ctx, commands, time.Time{})
	}
	return claimed > 0
}
