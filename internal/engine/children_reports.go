package engine

import (
	"context"
	"errors"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// report tells a parent how its child has ended. A child that has not ended, or not any more, will tell it later.
func (e *Engine) report(ctx context.Context, parent saga.Parent, child string) error {
	in, err := e.stored(ctx, child)
	if errors.Is(err, record.ErrUnreadable) && in.Status == saga.Abandoned { // so no repair is to be waited for
		return e.tellParent(ctx, parent, saga.ChildEnded{Step: parent.Step, Child: child, Status: in.Status, Revision: max(in.Revision, 0)})
	}
	if err == nil && in == nil {
		return e.reportGone(ctx, parent, child)
	}
	if err != nil || !in.Status.Terminal() {
		return err
	}
	ended := saga.ChildEnded{Step: parent.Step, Child: child, Status: in.Status, Revision: in.Revision, Data: in.Data, Failure: in.Failure}
	if err := e.hide(ctx, in, &ended); err != nil {
		return err
	}
	return e.tellParent(ctx, parent, ended)
}

// hide marks what is sensitive in a child by its definition, for its parent. Without the definition all of it is.
func (e *Engine) hide(ctx context.Context, child *saga.Instance, ended *saga.ChildEnded) error {
	def, err := e.definitions.read(ctx, child.Definition, child.Version)
	var redact func(string) string
	switch {
	case errors.Is(err, record.ErrUnreadable):
		ended.Hidden, redact = []saga.Pointer{""}, func(string) string { return saga.Masked }
	case err != nil:
		return err
	default:
		ended.Hidden, redact = def.HiddenIn(child), def.Redactor(child)
	}
	if ended.Failure != nil && redact != nil {
		failure := *ended.Failure
		failure.Message = redact(failure.Message)
		ended.Failure = &failure
	}
	return nil
}

// tellParent applies the end of a child to its parent. A parent that is gone needs not know.
func (e *Engine) tellParent(ctx context.Context, parent saga.Parent, ended saga.ChildEnded) error {
	answer := e.ask(ctx, &request{kind: applyEvent, sagaID: parent.Saga, cause: ended})
	if errors.Is(answer.err, record.ErrSagaNotFound) {
		return nil
	}
	return answer.err
}

// look reports the ends of children that a parent may have missed: a version before this one abandoned a child that it could
// not read without a word to the parent.
func (e *Engine) look(ctx context.Context) {
	for {
		select {
		case look := <-e.looks:
			if err := e.report(ctx, look.parent, look.child); err != nil && ctx.Err() == nil {
				e.warn("look", "cannot look at a child saga, will try again later", "saga", look.child, "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// wantLooks asks look to look at children. What finds no room is looked at later: the parent wakes again.
func (e *Engine) wantLooks(looks []childLook) {
	for _, look := range looks {
		select {
		case e.looks <- look:
		default:
		}
	}
}

// childLook is a child to look at, and its parent.
type childLook struct {
	parent saga.Parent
	child  string
}

// looksOf returns the children that a decision asks to look at.
func looksOf(in *saga.Instance, steps []int) (looks []childLook) {
	for _, i := range steps {
		looks = append(looks, childLook{saga.Parent{Saga: in.ID, Step: in.Steps[i].Name}, in.Steps[i].Child()})
	}
	return looks
}
