package relay

import (
	"context"
	"log/slog"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Rows is the outbox table.
type Rows interface {
	// ClaimOutbox takes over commands whose lease has expired.
	ClaimOutbox(ctx context.Context, claim record.OutboxClaim) ([]wire.Command, error)
	// MarkRefused records that the broker refuses these commands.
	MarkRefused(ctx context.Context, refused []record.RefusedCommand) error
	// QueueControls returns the queues that have settings or commands that are held back.
	QueueControls(ctx context.Context) ([]record.QueueControl, error)
	// ReleaseHeld takes over commands that the settings of their queue hold back, as many as these allow over all replicas.
	ReleaseHeld(ctx context.Context, claim record.HeldClaim) ([]wire.Command, error)
	// NoteQueueProblems records why queues accept no commands; an empty kind deletes the record.
	NoteQueueProblems(ctx context.Context, problems []record.QueueProblem) error
}

// Publisher is the broker.
type Publisher interface {
	// Publish publishes commands and calls settle with the receipt of each, exactly once: before it returns, or soon
	// afterwards from another goroutine if a queue is slow to confirm. It has its own deadline.
	Publish(ctx context.Context, commands []wire.Command, settle func(i int, receipt wire.Receipt))
	// PublishAlone publishes a command that the broker has refused before, so that it harms no other.
	PublishAlone(ctx context.Context, command *wire.Command) wire.Receipt
	// DeclareQueues creates worker queues that do not exist.
	DeclareQueues(ctx context.Context, queues []string) error
	// CanPublish returns why publishing is impossible now, or nil.
	CanPublish() error
}

// Config configures a relay. Rows, Publisher and Published are required.
type Config struct {
	Rows      Rows
	Publisher Publisher
	// Published is called with commands that waited before they reached their queues, since the time of their attempts
	// starts only now. It calls done once that is stored.
	Published func(ctx context.Context, id saga.CommandID, done func())
	// Sent, if non-nil, is called with the number of commands that were published together, for metrics. It must not
	// block.
	Sent   func(commands int)
	Logger *slog.Logger // nil: no log

	Publishers int           // concurrent batches; 0: 2
	BatchSize  int           // commands in one batch; 0: 256
	Lease      time.Duration // how long this process may publish a command from memory; 0: 3 s, as in the store
	ClaimEvery time.Duration // time between claims; 0: 1 s
	Capacity   int           // commands in memory; the rest is left to the table; 0: 20,000

	// Now is this process's clock, used only for durations. nil: time.Now.
	Now func() time.Time
}

const (
	// promptly is the longest delay of a confirm after which the attempt's timeout still counts from the commit. A
	// twentieth of the timeout applies instead if it is longer.
	promptly = 100 * time.Millisecond
	// margin is the last part of a lease: commands are not published from memory during it, so that two publishers do
	// not overlap.
	margin = 500 * time.Millisecond

	redeclareAfter = 3 * time.Second
	probeLook      = 100 * time.Millisecond

	// roomAt is the share of the capacity beyond which Await pauses, for at most crowdPause.
	roomAt     = 0.25
	crowdPause = 200 * time.Millisecond

	// batchBytes limits the bodies of a batch, maxHandedBytes those in memory.
	batchBytes     = 4 << 20
	maxHandedBytes = 32 << 20
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
