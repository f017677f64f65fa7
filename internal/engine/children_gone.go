package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// isGone reports whether a saga was there, and its row was deleted by hand: retention deletes the history with it.
func (e *Engine) isGone(ctx context.Context, id string) (bool, error) {
	if _, _, err := e.config.Store.History(ctx, id, record.Page{Limit: 1}); err != nil {
		if errors.Is(err, record.ErrSagaNotFound) {
			return false, nil
		}
		return false, err
	}
	in, err := e.stored(ctx, id) // it may have started meanwhile, with its history
	return in == nil && err == nil, err
}

// tellGone tells the parent of a child that is gone that its outcome is unknown, or that it cannot be compensated.
func (e *Engine) tellGone(ctx context.Context, asked saga.CommandID, child saga.ChildStart) error {
	step, err := e.askingStep(ctx, child)
	if err != nil || step == nil {
		return err
	}
	ended := saga.ChildEnded{Step: child.Parent.Step, Child: child.ID, Status: saga.Abandoned}
	if step.Status != saga.StepRunning {
		ended.Refused = &saga.ReplyError{Code: saga.CodeChildGone, Message: "the child saga was deleted, and cannot be compensated"}
		ended.Answers, ended.Exists = asked, true
	}
	return e.tellParent(ctx, child.Parent, ended)
}

func unreadableChild(status saga.Status) *saga.ReplyError {
	return &saga.ReplyError{Code: saga.CodeChildUnreadable, Message: fmt.Sprintf("the child saga is %s, and cannot be read", status)}
}

// reportGone tells a parent that its child is gone. One that was never there may still start.
func (e *Engine) reportGone(ctx context.Context, parent saga.Parent, child string) error {
	gone, err := e.isGone(ctx, child)
	if err != nil || !gone {
		return err
	}
	return e.tellParent(ctx, parent, saga.ChildEnded{Step: parent.Step, Child: child, Status: saga.Abandoned})
}
