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

// Store is the database as one process reaches it: over a connection on which every call can fail before or after it
// takes effect.
type Store struct {
	*memory.Store

	Line Line
	// Committed, if non-nil, is called with what each transaction wrote, right after its commit.
	Committed func(record.Changes)
	// Released, if non-nil, is called with what each release took, right after its commit.
	Released func(queue string, commands []wire.Command)
}

// Line is the connection to a database. Its methods take simulated time.
type Line interface {
	// Before is called before a call. On an error the call is not made.
	Before() error
	// After is called after a call. On an error its caller does not get the result.
	After() error
}

// ReliableLine is a connection without faults.
type ReliableLine struct{}

// Before implements Line.
func (ReliableLine) Before() error { return nil }

// After implements Line.
func (ReliableLine) After() error { return nil }

// over makes a call whose result is lost if the connection breaks.
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

// Transact implements engine.Store.
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

// TryChange implements engine.Store.
func (s *Store) TryChange(ctx context.Context, sagaID string) error {
	_, err := over(s.Line, func() (struct{}, error) { return struct{}{}, s.Store.TryChange(ctx, sagaID) })
	return err
}

// Due implements engine.Store.
func (s *Store) Due(
	ctx context.Context, grace time.Duration, after record.DueSaga, limit int,
) ([]record.DueSaga, error) {
	return over(s.Line, func() ([]record.DueSaga, error) { return s.Store.Due(ctx, grace, after, limit) })
}

// Definition implements engine.Store.
func (s *Store) Definition(ctx context.Context, name string, version int) (*saga.Definition, error) {
	return over(s.Line, func() (*saga.Definition, error) { return s.Store.Definition(ctx, name, version) })
}

// LatestDefinition implements engine.Store.
func (s *Store) LatestDefinition(ctx context.Context, name string) (record.RegisteredDefinition, error) {
	return over(s.Line, func() (record.RegisteredDefinition, error) { return s.Store.LatestDefinition(ctx, name) })
}

// PutDefinition implements engine.Store.
func (s *Store) PutDefinition(
	ctx context.Context, def *saga.Definition,
) (latest record.RegisteredDefinition, created bool, err error) {
	latest, err = over(s.Line, func() (record.RegisteredDefinition, error) {
		var registered record.RegisteredDefinition
		registered, created, err = s.Store.PutDefinition(ctx, def)
		return registered, err
	})
	return latest, created, err
}

// ClaimOutbox implements relay.Rows.
func (s *Store) ClaimOutbox(ctx context.Context, claim record.OutboxClaim) ([]wire.Command, error) {
	return over(s.Line, func() ([]wire.Command, error) { return s.Store.ClaimOutbox(ctx, claim) })
}

// QueueControls implements relay.Rows.
func (s *Store) QueueControls(ctx context.Context) ([]record.QueueControl, error) {
	return over(s.Line, func() ([]record.QueueControl, error) { return s.Store.QueueControls(ctx) })
}

// ReleaseHeld implements relay.Rows.
func (s *Store) ReleaseHeld(ctx context.Context, claim record.HeldClaim) ([]wire.Command, error) {
	return over(s.Line, func() ([]wire.Command, error) {
		commands, err := s.Store.ReleaseHeld(ctx, claim)
		if err == nil && s.Released != nil {
			s.Released(claim.Queue, commands)
		}
		return commands, err
	})
}

// ReleaseOutbox implements relay.Rows.
func (s *Store) ReleaseOutbox(ctx context.Context, ids []saga.CommandID) error {
	_, err := over(s.Line, func() (struct{}, error) { return struct{}{}, s.Store.ReleaseOutbox(ctx, ids) })
	return err
}

// NoteQueueProblems implements relay.Rows.
func (s *Store) NoteQueueProblems(ctx context.Context, problems []record.QueueProblem) error {
	_, err := over(s.Line, func() (struct{}, error) { return struct{}{}, s.Store.NoteQueueProblems(ctx, problems) })
	return err
}

// MarkRefused implements relay.Rows.
func (s *Store) MarkRefused(ctx context.Context, refused []record.RefusedCommand) error {
	_, err := over(s.Line, func() (struct{}, error) { return struct{}{}, s.Store.MarkRefused(ctx, refused) })
	return err
}

var (
	errLineBroke = errors.New("the connection to the database broke")
	errStoreAway = errors.New("the database is down")
)

// faultyLine takes time and fails with the probabilities of the simulation.
type faultyLine struct{ sim *Simulation }

func (l faultyLine) Before() error {
	s := l.sim
	s.sleep(s.between(50*time.Microsecond, 2*time.Millisecond))
	switch {
	case s.storeAwayUntil > s.now:
		s.count(storeAway)
		s.sleep(s.between(time.Millisecond, time.Second))
		return errStoreAway
	case s.draw(storeFailsBefore):
		return errLineBroke
	default:
		return nil
	}
}

func (l faultyLine) After() error {
	s := l.sim
	s.sleep(s.between(50*time.Microsecond, 2*time.Millisecond))
	if s.storeAwayUntil > s.now || s.draw(storeFailsAfter) {
		s.count(storeFailsAfter)
		return errLineBroke
	}
	return nil
}
