package operate

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

const (
	// startsAtOnce is the number of starts by SQL that a replica takes in at a time.
	startsAtOnce = 256
	// startBytes bounds the bodies of the starts that a replica takes in at a time.
	startBytes = 8 << 20
	// startLease is how long a start that a replica has claimed waits for another one, if the first one died.
	startLease = 10 * time.Second
	// startPatience is how long a replica tries to store what it has claimed, and startDropPatience how long it tries to
	// delete the rows. Both together are shorter than the lease, and than a shutdown.
	startPatience     = 4 * time.Second
	startDropPatience = 2 * time.Second
)

// StartRequests holds the sagas that transactions have asked for with saga_start.
type StartRequests interface {
	// ClaimStarts takes over starts that no replica is taking in, the oldest first.
	ClaimStarts(ctx context.Context, limit, bytes int, lease time.Duration) ([]record.QueuedStart, error)
	// DropStarts deletes starts whose sagas or dead letters are stored.
	DropStarts(ctx context.Context, numbers []int64) error
	// ReturnStarts gives claimed starts back, as if they had not been claimed.
	ReturnStarts(ctx context.Context, numbers []int64) error
}

// Starts takes in starts by SQL. Every replica may run one. All fields but Logger are required.
type Starts struct {
	Requests StartRequests
	// Take stores the saga, or a dead letter, and calls settle once: with true after the commit. A repetition leads to the
	// same saga.
	Take func(ctx context.Context, start record.QueuedStart, settle func(ok bool))
	// Waits reports whether a start that was not stored in time has waited for its turn behind others, because its definition is
	// costly. nil: none has.
	Waits  func(start record.QueuedStart) bool
	Every  time.Duration // between two polls
	Logger *slog.Logger  // nil: no log
}

// Run works until ctx ends. It then finishes what it has claimed.
func (s Starts) Run(ctx context.Context) {
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	// Polls come up to a quarter early, so that those of the replicas spread.
	for wait.For(ctx, s.Every-rand.N(s.Every/4+1)) { //nolint:gosec // spreads polls, keeps no secret
		for ctx.Err() == nil && s.round(ctx) {
			continue
		}
	}
}

// round takes in one batch. It reports whether there may be more.
func (s Starts) round(ctx context.Context) (more bool) {
	claimed, err := s.Requests.ClaimStarts(ctx, startsAtOnce, startBytes, startLease)
	if err != nil && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, "cannot read starts by SQL, will try again", "error", err)
	}
	if err != nil || len(claimed) == 0 {
		return false
	}
	stored := s.take(ctx, claimed)
	if waited := s.returned(ctx, claimed, stored); len(stored)+waited < len(claimed) {
		s.Logger.WarnContext(ctx, "cannot store starts by SQL, will try again", "starts", len(claimed)-len(stored))
	}
	if len(stored) == 0 {
		return false
	}
	dropping, cancel := context.WithTimeout(context.WithoutCancel(ctx), startDropPatience)
	defer cancel()
	if err := s.Requests.DropStarts(dropping, stored); err != nil {
		s.Logger.WarnContext(ctx, "starts by SQL that are stored will be looked at again", "error", err)
		return false
	}
	return true
}

// returned gives those starts back that have only waited. A claim counts as a failure otherwise, and each one lasts longer.
func (s Starts) returned(ctx context.Context, claimed []record.QueuedStart, stored []int64) (count int) {
	if s.Waits == nil || len(stored) == len(claimed) {
		return 0
	}
	var waited []int64
	for _, start := range claimed {
		if !slices.Contains(stored, start.Number) && s.Waits(start) {
			waited = append(waited, start.Number)
		}
	}
	if len(waited) == 0 {
		return 0
	}
	returning, cancel := context.WithTimeout(context.WithoutCancel(ctx), startDropPatience)
	defer cancel()
	if err := s.Requests.ReturnStarts(returning, waited); err != nil {
		s.Logger.WarnContext(ctx, "starts by SQL that wait for their turn are looked at again later", "error", err)
	}
	return len(waited)
}

// take returns the numbers of the starts that are stored, after all of them are or the time is up.
func (s Starts) take(ctx context.Context, claimed []record.QueuedStart) (stored []int64) {
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), startPatience)
	settled := make(chan int64, len(claimed)) // room for all: a start that is stored late blocks nothing
	var taking sync.WaitGroup
	defer taking.Wait()
	defer cancel()
	for _, start := range claimed {
		taking.Go(func() {
			s.Take(work, start, func(ok bool) {
				if ok {
					settled <- start.Number
				} else {
					settled <- 0
				}
			})
		})
	}
	for range claimed {
		select {
		case number := <-settled:
			if number > 0 {
				stored = append(stored, number)
			}
		case <-work.Done():
			return stored
		}
	}
	return stored
}
