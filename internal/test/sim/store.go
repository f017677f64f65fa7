package sim

import (
	"context"
	"errors"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// Store is the one database of a world, as one process reaches it: over a line on which every call can fail before it
// does anything, or after it has done everything.
type Store struct {
	*memory.Store

	Line Line
	// Committed is told what every transaction has written, as soon as it is committed.
	Committed func(record.Changes)
}

// Line is the way to a database. Its methods take their time.
type Line interface {
	// Before is called before a call is applied; an error means that it is not.
	Before() error
	// After is called when a call has been applied; an error means that its caller does not hear of it.
	After() error
}

// Sound is a line on which nothing goes wrong.
type Sound struct{}

// Before is Line's.
func (Sound) Before() error { return nil }

// After is Line's.
func (Sound) After() error { return nil }

// over makes a call whose answer gets lost when the line breaks.
func over[T any](line Line, call func() (T, error)) (T, error) {
	var none T
	if err := line.Before(); err != nil {
		return none, err
	}
	answer, err := call()
	if lost := line.After(); lost != nil {
		return none, lost
	}
	return answer, err
}

// Transact is engine.Store's.
func (s *Store) Transact(
	ctx context.Context, batch record.Batch, decide func(record.Loaded) (record.Changes, error),
) error {
	_, err := over(s.Line, func() (struct{}, error) {
		var written record.Changes
		err := s.Store.Transact(ctx, batch, func(loaded record.Loaded) (changes record.Changes, err error) {
			written, err = decide(loaded)
			return written, err
		})
		if err == nil && s.Committed != nil {
			s.Committed(written)
		}
		return struct{}{}, err
	})
	return err
}

// Due is engine.Store's.
func (s *Store) Due(
	ctx context.Context, grace time.Duration, after record.DueSaga, limit int,
) ([]record.DueSaga, error) {
	return over(s.Line, func() ([]record.DueSaga, error) { return s.Store.Due(ctx, grace, after, limit) })
}

// Definition is engine.Store's.
func (s *Store) Definition(ctx context.Context, name string, version int) (*saga.Definition, error) {
	return over(s.Line, func() (*saga.Definition, error) { return s.Store.Definition(ctx, name, version) })
}

// LatestDefinition is engine.Store's.
func (s *Store) LatestDefinition(ctx context.Context, name string) (record.RegisteredDefinition, error) {
	return over(s.Line, func() (record.RegisteredDefinition, error) { return s.Store.LatestDefinition(ctx, name) })
}

// PutDefinition is engine.Store's.
func (s *Store) PutDefinition(
	ctx context.Context, plan *saga.Definition,
) (latest record.RegisteredDefinition, created bool, err error) {
	latest, err = over(s.Line, func() (record.RegisteredDefinition, error) {
		var registered record.RegisteredDefinition
		registered, created, err = s.Store.PutDefinition(ctx, plan)
		return registered, err
	})
	return latest, created, err
}

// ClaimOutbox is relay.Rows's.
func (s *Store) ClaimOutbox(ctx context.Context, claim record.OutboxClaim) ([]wire.Command, error) {
	return over(s.Line, func() ([]wire.Command, error) { return s.Store.ClaimOutbox(ctx, claim) })
}

// ReleaseOutbox is relay.Rows's.
func (s *Store) ReleaseOutbox(ctx context.Context, ids []saga.CommandID) error {
	_, err := over(s.Line, func() (struct{}, error) { return struct{}{}, s.Store.ReleaseOutbox(ctx, ids) })
	return err
}

// NoteQueueProblems is relay.Rows's.
func (s *Store) NoteQueueProblems(ctx context.Context, problems []record.QueueProblem) error {
	_, err := over(s.Line, func() (struct{}, error) { return struct{}{}, s.Store.NoteQueueProblems(ctx, problems) })
	return err
}

// MarkRefused is relay.Rows's.
func (s *Store) MarkRefused(ctx context.Context, refused []record.RefusedCommand) error {
	_, err := over(s.Line, func() (struct{}, error) { return struct{}{}, s.Store.MarkRefused(ctx, refused) })
	return err
}

var (
	errLineBroke = errors.New("the connection to the database broke")
	errStoreAway = errors.New("the database is away")
)

// unsoundLine takes time and breaks at every place, as the world's faults have it.
type unsoundLine struct{ world *World }

func (l unsoundLine) Before() error {
	w := l.world
	w.sleep(w.between(50*time.Microsecond, 2*time.Millisecond))
	switch {
	case w.storeAwayUntil > w.now:
		w.count(storeAway)
		w.sleep(w.between(time.Millisecond, time.Second))
		return errStoreAway
	case w.happens(storeFailsBefore):
		return errLineBroke
	default:
		return nil
	}
}

func (l unsoundLine) After() error {
	w := l.world
	w.sleep(w.between(50*time.Microsecond, 2*time.Millisecond))
	if w.storeAwayUntil > w.now || w.happens(storeFailsAfter) {
		w.count(storeFailsAfter)
		return errLineBroke
	}
	return nil
}
