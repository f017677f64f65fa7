package relay

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Rows is the outbox as a table.
type Rows interface {
	// ClaimOutbox takes over commands whose lease ran out.
	ClaimOutbox(ctx context.Context, claim record.OutboxClaim) ([]wire.Command, error)
	// ReleaseOutbox gives the lease of commands up.
	ReleaseOutbox(ctx context.Context, ids []saga.CommandID) error
	// NoteQueueProblems notes why queues take no commands; a problem without a kind is over.
	NoteQueueProblems(ctx context.Context, problems []record.QueueProblem) error
}

// Publisher is the broker's side.
type Publisher interface {
	// Publish publishes commands and says, in the same order, what became of each. It ends within its own deadline.
	Publish(ctx context.Context, commands []wire.Command) []wire.Receipt
	// DeclareQueues makes sure that worker queues exist.
	DeclareQueues(ctx context.Context, queues []string) error
	// Ready says why nothing can be published now, or nil.
	Ready() error
}

// Config says what a relay works with. Rows, Publisher and Published are required.
type Config struct {
	Rows      Rows
	Publisher Publisher
	// Published is told of commands that had to wait before they reached their queues, so that the time of their
	// attempts runs only from now. It calls done once that is stored.
	Published func(ctx context.Context, id saga.CommandID, done func())
	// Sent is told how many commands were published together, whatever became of them, for metrics; it must return at
	// once. nil: nobody.
	Sent   func(commands int)
	Logger *slog.Logger

	Publishers int           // batches being published at the same time; 0: 2
	BatchSize  int           // commands in one batch; 0: 256
	Lease      time.Duration // how long a command handed over is this process's to publish; 0: 3 s, as in the store
	ClaimEvery time.Duration // how often the table is asked; 0: 1 s
	Capacity   int           // commands kept in memory; what comes beyond is left to the table; 0: 20,000

	// Now is this process's clock. It only tells how long something has taken. nil: time.Now.
	Now func() time.Time
}

const (
	// promptly is how soon after its commit a command's confirm must come for its attempt's time to have been right
	// from the start; a twentieth of the timeout, if that is more.
	promptly = 100 * time.Millisecond
	// margin is left of a lease when a command is still published from memory: the next holder should not overlap.
	margin = 500 * time.Millisecond

	// claimBytes bounds the bodies of one claim together.
	claimBytes = 8 << 20

	firstReturnWait = time.Second
	maxReturnWait   = 15 * time.Second
	redeclareAfter  = 3 * time.Second

	// roomAt is the share of the capacity up to which commands are handed over without a pause of at most maxPause.
	roomAt   = 0.25
	maxPause = 200 * time.Millisecond
)

func (c Config) withDefaults() Config {
	for _, number := range []struct {
		field     *int
		otherwise int
	}{{&c.Publishers, 2}, {&c.BatchSize, 256}, {&c.Capacity, 20_000}} {
		if *number.field <= 0 {
			*number.field = number.otherwise
		}
	}
	if c.Lease <= 0 {
		c.Lease = 3 * time.Second
	}
	if c.ClaimEvery <= 0 {
		c.ClaimEvery = time.Second
	}
	if c.Sent == nil {
		c.Sent = func(int) {}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Relay brings commands from the outbox to the broker. It is the engine's Outbox.
type Relay struct {
	config  Config
	filled  chan struct{} // has a value when handed may not be empty
	taken   chan struct{} // has a value when something was taken from handed
	returns *returns

	mu        sync.Mutex
	handed    []handed
	confirmed []saga.CommandID
}

// handed is a command that this process has committed and may publish until its lease runs out.
type handed struct {
	command wire.Command
	since   time.Time
}

// New makes a relay; Run lets it work.
func New(config Config) *Relay {
	config = config.withDefaults()
	return &Relay{config: config, filled: make(chan struct{}, 1), taken: make(chan struct{}, 1), returns: newReturns(config.Now)}
}

// Dispatch takes committed commands over. It never waits: what does not fit in memory is left to the table.
func (r *Relay) Dispatch(commands []wire.Command) {
	if len(commands) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.config.Now()
	for _, command := range commands[:min(len(commands), max(0, r.config.Capacity-len(r.handed)))] {
		r.handed = append(r.handed, handed{command: command, since: now})
	}
	r.signal()
}

func (r *Relay) signal() { notify(r.filled) }

// notify never waits: one value says it all.
func notify(hint chan struct{}) {
	select {
	case hint <- struct{}{}:
	default:
	}
}

// Await lets those who are about to hand commands over wait while many have not been published yet: a moment at most, for
// a broker that is away should keep nobody from storing sagas.
func (r *Relay) Await(ctx context.Context) {
	if !r.crowded() {
		return
	}
	pause := time.NewTimer(maxPause)
	defer pause.Stop()
	for r.crowded() {
		select {
		case <-r.taken:
		case <-pause.C:
			return
		case <-ctx.Done():
			return
		}
	}
	notify(r.taken) // others may be waiting
}

func (r *Relay) crowded() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return float64(len(r.handed)) > roomAt*float64(r.config.Capacity)
}

// TakeConfirmed returns the ids of commands that are in their queues, for their rows to be deleted: at most so many, and
// none where there are fewer than least.
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

// ReturnConfirmed takes back ids whose rows were not deleted after all.
func (r *Relay) ReturnConfirmed(ids []saga.CommandID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.confirmed = append(r.confirmed, ids...)
}

// Run publishes until ctx ends, and waits for what it has begun. All that it does over and over is PublishHanded and
// PublishClaimed, each in loops of its own; a simulation calls these itself.
func (r *Relay) Run(ctx context.Context) {
	var work sync.WaitGroup
	for range r.config.Publishers {
		work.Go(func() { r.publishHanded(ctx) })
	}
	work.Go(func() { r.publishClaimed(ctx) })
	work.Wait()
}

// publishHanded publishes what this process has committed, whenever there is something.
func (r *Relay) publishHanded(ctx context.Context) {
	for {
		select {
		case <-r.filled:
		case <-ctx.Done():
			return
		}
		for r.PublishHanded(ctx) { // until nothing is left
		}
	}
}

// PublishHanded publishes a batch of what this process has committed; it is false when there is nothing.
func (r *Relay) PublishHanded(ctx context.Context) bool {
	batch := r.takeHanded()
	if len(batch) == 0 {
		return false
	}
	commands := make([]wire.Command, len(batch))
	for i := range batch {
		commands[i] = batch[i].command
	}
	r.publish(ctx, commands, batch[0].since)
	return true
}

// takeHanded takes a batch of what is still this process's to publish. What is not, the table gives to somebody.
func (r *Relay) takeHanded() []handed {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.config.Publisher.Ready() != nil {
		r.handed = nil
		return nil
	}
	oldest := r.config.Now().Add(margin - r.config.Lease)
	expired := 0
	for expired < len(r.handed) && r.handed[expired].since.Before(oldest) {
		expired++
	}
	n := min(r.config.BatchSize, len(r.handed)-expired)
	batch := r.handed[expired : expired+n : expired+n]
	r.handed = r.handed[expired+n:]
	notify(r.taken)
	if len(r.handed) == 0 {
		r.handed = nil // let go of what has been published
	} else {
		r.signal() // another publisher may begin on the rest
	}
	return batch
}

// publishClaimed asks the table for what nobody else publishes, again and again.
func (r *Relay) publishClaimed(ctx context.Context) {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-wait.C:
		case <-ctx.Done():
			return
		}
		for r.PublishClaimed(ctx) && ctx.Err() == nil { // until nothing is left
		}
		wait.Reset(r.config.ClaimEvery)
	}
}

// PublishClaimed publishes a batch of commands of a process that died, or that could not be published; more says that
// there may be more.
func (r *Relay) PublishClaimed(ctx context.Context) (more bool) {
	if r.config.Publisher.Ready() != nil {
		return false
	}
	commands, err := r.config.Rows.ClaimOutbox(ctx, record.OutboxClaim{
		Limit: r.config.BatchSize, Bytes: claimBytes, Except: r.returns.waiting(),
	})
	if err != nil && ctx.Err() == nil {
		r.config.Logger.Warn("the outbox was not read, trying again", "error", err)
	}
	if len(commands) > 0 {
		r.publish(ctx, commands, time.Time{})
	}
	return len(commands) == r.config.BatchSize
}
