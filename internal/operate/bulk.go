package operate

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// Bulks is what the store knows of bulk actions.
type Bulks interface {
	// ClaimBulks takes over running bulk actions that have no holder, or this one, until the lease is over.
	ClaimBulks(ctx context.Context, holder string, lease time.Duration) ([]record.BulkAction, error)
	// RemainingBulk returns targets without an outcome.
	RemainingBulk(ctx context.Context, id string, limit int) ([]string, error)
	// ControlBulk derives the status from the tally.
	ControlBulk(ctx context.Context, id string, control func(*record.BulkAction) error) (record.BulkAction, error)
}

// Targets does to one target what a bulk action asks for, and stores the outcome with it. Its errors are those after
// which the target has no outcome; record.ErrBulkOver means that it is not this process's to decide.
type Targets interface {
	Do(ctx context.Context, action *record.BulkAction, ref record.BulkRef) error
}

// Config determines how bulk actions are carried out. Bulks and Targets are required.
type Config struct {
	Bulks   Bulks
	Targets map[record.BulkKind]Targets
	Holder  string       // identifies this process; required
	Logger  *slog.Logger // nil: no logging

	Look  time.Duration // how often it looks for work; 0: 250 ms
	Lease time.Duration // how long a bulk action stays this process's; 0: 10 s
	Chunk int           // targets at a time; 0: 32
}

func (c Config) withDefaults() Config {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Look <= 0 {
		c.Look = 250 * time.Millisecond
	}
	if c.Lease <= 0 {
		c.Lease = 10 * time.Second
	}
	if c.Chunk <= 0 {
		c.Chunk = 32
	}
	return c
}

// Bulk carries out bulk actions.
type Bulk struct{ config Config }

// NewBulk returns a Bulk; Run lets it work.
func NewBulk(config Config) *Bulk { return &Bulk{config.withDefaults()} }

// Run carries out bulk actions until ctx ends, several at the same time, and waits for the targets that it has begun.
func (b *Bulk) Run(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	var mu sync.Mutex
	underWay := make(map[string]bool)
	for {
		claimed, err := b.config.Bulks.ClaimBulks(ctx, b.config.Holder, b.config.Lease)
		if err != nil && ctx.Err() == nil {
			b.config.Logger.Debug("bulk actions were not claimed", "error", err)
		}
		for _, action := range claimed {
			mu.Lock()
			known := underWay[action.ID]
			underWay[action.ID] = true
			mu.Unlock()
			if known { // claiming has renewed its lease
				continue
			}
			work.Go(func() {
				b.carryOut(ctx, action)
				mu.Lock()
				defer mu.Unlock()
				delete(underWay, action.ID)
			})
		}
		if !wait.For(ctx, b.config.Look) {
			return
		}
	}
}

// carryOut decides targets until the bulk action is over, waits, or is another process's.
func (b *Bulk) carryOut(ctx context.Context, action record.BulkAction) {
	targets := b.config.Targets[action.Kind]
	for targets != nil && action.Status == record.BulkRunning && ctx.Err() == nil {
		chunk, pause := b.pace(action.Rate)
		begun := time.Now()
		err := b.decide(ctx, &action, targets, min(chunk, action.Allowed()))
		if err == nil {
			action, err = b.config.Bulks.ControlBulk(ctx, action.ID, func(*record.BulkAction) error { return nil })
		}
		switch {
		case errors.Is(err, record.ErrBulkOver):
			return
		case errors.Is(err, record.ErrPayloadKeys):
			b.config.Logger.Warn("a bulk action is left to a replica that has the keys", "bulk_action", action.ID, "error", err)
			return // the store claims it no more
		case err != nil:
			b.config.Logger.Warn("a bulk action is interrupted, will go on", "bulk_action", action.ID, "error", err)
			pause = max(pause, time.Second)
		}
		if action.Status == record.BulkRunning {
			wait.For(ctx, pause-time.Since(begun))
		}
	}
}

// pace returns the size of a chunk of targets, and the least time from one chunk to the next, that keep to a rate per second.
func (b *Bulk) pace(rate float64) (chunk int, pause time.Duration) {
	if rate <= 0 {
		return b.config.Chunk, 0
	}
	rate = max(rate, record.MinBulkRate) // an older version or SQL may have stored less, which would never end
	chunk = max(1, min(b.config.Chunk, int(rate/10)))
	return chunk, time.Duration(float64(chunk) / rate * float64(time.Second))
}

// decide decides up to so many targets at the same time.
func (b *Bulk) decide(ctx context.Context, action *record.BulkAction, targets Targets, limit int) error {
	ids, err := b.config.Bulks.RemainingBulk(ctx, action.ID, limit)
	if err != nil {
		return err
	}
	faults := make([]error, len(ids))
	var work sync.WaitGroup
	for i, id := range ids {
		work.Go(func() {
			faults[i] = targets.Do(ctx, action, record.BulkRef{Bulk: action.ID, Holder: b.config.Holder, Target: id})
		})
	}
	work.Wait()
	return errors.Join(faults...)
}
