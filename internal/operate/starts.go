package operate

import (
	"context"
	"log/slog"
	"math/rand/v2"
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
	// costlyPatience is startPatience for starts that wait for their turn. A shutdown does not wait for them.
	costlyPatience = 7 * time.Second
	// betweenTurns is the pause before those that found none try again.
	betweenTurns = 250 * time.Millisecond
	// A start that found no turn waits from leastTurnPause to mostTurnPause before it is claimed again: turnPause for each of them.
	leastTurnPause = 2 * time.Second
	mostTurnPause  = time.Minute
	turnPause      = 10 * time.Millisecond
)

// StartRequests holds the sagas that transactions have asked for with saga_start.
type StartRequests interface {
	// ClaimStarts takes over starts that no replica is taking in, the oldest first.
	ClaimStarts(ctx context.Context, limit, bytes int, lease time.Duration) ([]record.QueuedStart, error)
	// DropStarts deletes starts whose sagas or dead letters are stored.
	DropStarts(ctx context.Context, numbers []int64) error
	// ReturnStarts gives claimed starts back, as if they had not been claimed, but for a pause.
	ReturnStarts(ctx context.Context, numbers []int64, pause time.Duration) error
}

// Starts takes in starts by SQL. Every replica may run one. All fields but Logger are required.
type Starts struct {
	Requests StartRequests
	// Take stores the saga, or a dead letter, and calls settle once: with true after the commit. A repetition leads to the
	// same saga.
	Take func(ctx context.Context, start record.QueuedStart, settle func(ok bool))
	// Waits reports whether a start waits for its turn behind others, because its definition is costly. nil: none does.
	Waits  func(start record.QueuedStart) bool
	Every  time.Duration // between two polls
	Logger *slog.Logger  // nil: no log
}

// Run works until ctx ends. It then finishes what it has claimed.
func (s Starts) Run(ctx context.Context) {
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	if s.Waits == nil {
		s.Waits = func(record.QueuedStart) bool { return false }
	}
	costly := costlyStarts{Starts: s}
	defer costly.running.Wait()
	// Polls come up to a quarter early, so that those of the replicas spread.
	for wait.For(ctx, s.Every-rand.N(s.Every/4+1)) { //nolint:gosec // spreads polls, keeps no secret
		costly.waiting = 0
		for ctx.Err() == nil && s.round(ctx, &costly) {
			continue
		}
	}
}

// round takes in one batch. It reports whether there may be more.
func (s Starts) round(ctx context.Context, costly *costlyStarts) (more bool) {
	claimed, err := s.Requests.ClaimStarts(ctx, startsAtOnce, startBytes, startLease)
	if err != nil && ctx.Err() == nil {
		s.Logger.WarnContext(ctx, "cannot read starts by SQL, will try again", "error", err)
	}
	if err != nil || len(claimed) == 0 {
		return false
	}
	waiting, prompt := s.apart(claimed)
	costly.take(ctx, waiting)
	work, cancel := context.WithTimeout(context.WithoutCancel(ctx), startPatience)
	defer cancel()
	stored, left := s.take(work, prompt)
	waited, _ := s.apart(left)
	costly.giveBack(ctx, waited)
	if failed := len(left) - len(waited); failed > 0 {
		s.Logger.WarnContext(ctx, "cannot store starts by SQL, will try again", "starts", failed)
	}
	return s.drop(ctx, stored) && len(stored)+len(waiting) > 0
}

// apart separates the starts that wait for their turn from others.
func (s Starts) apart(starts []record.QueuedStart) (waiting, prompt []record.QueuedStart) {
	for _, start := range starts {
		if s.Waits(start) {
			waiting = append(waiting, start)
		} else {
			prompt = append(prompt, start)
		}
	}
	return waiting, prompt
}

// drop deletes starts that are stored. It returns false if that failed.
func (s Starts) drop(ctx context.Context, stored []record.QueuedStart) bool {
	if len(stored) == 0 {
		return true
	}
	dropping, cancel := context.WithTimeout(context.WithoutCancel(ctx), startDropPatience)
	defer cancel()
	if err := s.Requests.DropStarts(dropping, numbersOf(stored)); err != nil {
		s.Logger.WarnContext(ctx, "starts by SQL that are stored will be looked at again", "error", err)
		return false
	}
	return true
}

func numbersOf(starts []record.QueuedStart) []int64 {
	numbers := make([]int64, len(starts))
	for i := range starts {
		numbers[i] = starts[i].Number
	}
	return numbers
}

// take returns the starts that are stored and those that are not, after all are settled or work ends.
func (s Starts) take(work context.Context, starts []record.QueuedStart) (stored, left []record.QueuedStart) {
	type outcome struct {
		at int
		ok bool
	}
	settled := make(chan outcome, len(starts)) // room for all: a start that is stored late blocks nothing
	var taking sync.WaitGroup
	defer taking.Wait()
	for i, start := range starts {
		taking.Go(func() { s.Take(work, start, func(ok bool) { settled <- outcome{i, ok} }) })
	}
	done := make([]bool, len(starts))
	for range starts {
		select {
		case one := <-settled:
			done[one.at] = one.ok
		case <-work.Done():
		}
		if work.Err() != nil {
			break
		}
	}
	for i, start := range starts {
		if done[i] {
			stored = append(stored, start)
		} else {
			left = append(left, start)
		}
	}
	return stored, left
}
