package operate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Engine decides targets, and stores their outcomes with what was decided.
type Engine interface {
	ActInBulk(ctx context.Context, action saga.Action, ref record.BulkRef) error
	DiscardInBulk(ctx context.Context, ref record.BulkRef) error
	RedriveInBulk(ctx context.Context, letter record.DeadLetter, action saga.Action, ref record.BulkRef) error
	RefuseInBulk(ctx context.Context, ref record.BulkRef, why string) error
	FailInBulk(ctx context.Context, ref record.BulkRef, why string) error
}

// Letters reads dead letters.
type Letters interface {
	DeadLetter(ctx context.Context, id string) (record.DeadLetter, error)
}

// OnSagas returns what carries out actions on sagas.
func OnSagas(engine Engine) Targets { return sagaTargets{engine} }

type sagaTargets struct{ engine Engine }

// Do takes the action. Its id is derived, so that the core, too, knows it again.
func (t sagaTargets) Do(ctx context.Context, bulk *record.BulkAction, ref record.BulkRef) error {
	ctx = record.WithCaller(ctx, callerOf(bulk))
	var parameters record.BulkParameters
	if err := json.Unmarshal(bulk.Parameters, &parameters); err != nil {
		return t.engine.FailInBulk(ctx, ref, "the bulk action's parameters cannot be read")
	}
	return t.engine.ActInBulk(ctx, saga.Action{
		ID: actionID(ref), Name: saga.ActionName(bulk.Action), Step: parameters.Step, Output: parameters.Output,
		Patch: parameters.Patch, To: parameters.To, Reason: bulk.Reason, Actor: bulk.Actor,
	}, ref)
}

// OnDeadLetters returns what redrives and discards dead letters.
func OnDeadLetters(engine Engine, letters Letters) Targets { return letterTargets{engine, letters} }

type letterTargets struct {
	engine  Engine
	letters Letters
}

// Do redrives or discards a dead letter. One that is gone already is refused.
func (t letterTargets) Do(ctx context.Context, bulk *record.BulkAction, ref record.BulkRef) error {
	ctx = record.WithCaller(ctx, callerOf(bulk))
	if bulk.Action == record.BulkDiscard {
		return t.engine.DiscardInBulk(ctx, ref)
	}
	letter, err := t.letters.DeadLetter(ctx, ref.Target)
	if errors.Is(err, record.ErrDeadLetterNotFound) {
		return t.engine.RefuseInBulk(ctx, ref, "the dead letter is gone")
	}
	if err != nil {
		return fmt.Errorf("redrive a dead letter: %w", err)
	}
	return t.engine.RedriveInBulk(ctx, letter, saga.Action{ID: actionID(ref), Actor: bulk.Actor, Reason: bulk.Reason}, ref)
}

// callerOf returns what the audit log says of the changes of a bulk action. The entry of its creation names the key.
func callerOf(bulk *record.BulkAction) record.Caller {
	return record.Caller{Actor: bulk.Actor, RequestID: bulk.ID, Reason: bulk.Reason}
}

func actionID(ref record.BulkRef) string { return ref.Bulk + "/" + ref.Target }
