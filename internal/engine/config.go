package engine

import (
	"context"
	"log/slog"
	"runtime"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Config configures an engine. Store and Outbox are required.
type Config struct {
	Store  Store
	Outbox Outbox
	Queues Queues       // nil: the engine declares no queues
	Logger *slog.Logger // nil: no log

	Lanes        int           // batches decided concurrently; 0: one for every two cores. Fewer lanes make larger batches
	BatchSize    int           // most events in one transaction; 0: 256
	LaneCapacity int           // events that may wait in a lane before callers block; 0: 1024
	ForgetAt     int           // confirmed commands from which a batch deletes their outbox rows; fewer wait up to 100 ms; 0: 64
	OverdueAfter time.Duration // time without progress after which a saga asks for attention; 0: never
	PollEvery    time.Duration // interval between polls of the store for due sagas; 0: 1 s

	// Committed, if non-nil, is called after each committed transaction, for metrics. It must not block.
	Committed func(Commit)

	// Events returns the sinks of lifecycle events by type. nil: there are no events.
	Events Sinks

	// StartsUnaudited leaves starts out of the audit log.
	StartsUnaudited bool

	// Repliers lists who may reply. nil: every user of the broker.
	Repliers Repliers

	// Compiler compiles conditions and schemas. nil: definitions that have some cannot be run.
	Compiler saga.Compiler

	// QueueStart stores a start by message that must wait for its turn, as if it came by SQL. nil: it waits in its queue.
	QueueStart func(ctx context.Context, start record.QueuedStart) error

	// DecodeStart reads a start that died in its queue. If it is nil, such a message is stored as a dead letter.
	DecodeStart StartDecoder

	Environment
}

func (c Config) withDefaults() Config {
	c.Lanes = positive(c.Lanes, max(1, runtime.NumCPU()/2))
	c.BatchSize = positive(c.BatchSize, 256)
	c.LaneCapacity = positive(c.LaneCapacity, 1024)
	c.ForgetAt = positive(c.ForgetAt, 64)
	if c.PollEvery <= 0 {
		c.PollEvery = time.Second
	}
	if c.Committed == nil {
		c.Committed = func(Commit) {}
	}
	if c.Events == nil {
		c.Events = func(string) []record.Sink { return nil }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Environment = c.Environment.withDefaults()
	return c
}

func positive(given, otherwise int) int {
	if given <= 0 {
		return otherwise
	}
	return given
}
