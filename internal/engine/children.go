package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	// deliverFor is how long a message between sagas is tried before it waits for its lease.
	deliverFor = 10 * time.Second
	// firstDeliverPause is the first pause before a message between sagas is tried again.
	firstDeliverPause = 50 * time.Millisecond
	// maxLooks is the number of children that may wait to be looked at.
	maxLooks = 1024
)

// Deliver delivers a message between sagas. It returns nil once what the message causes is stored, so that its outbox row can go.
// A message that is delivered twice changes nothing.
func (e *Engine) Deliver(ctx context.Context, command *wire.Command) error {
	message, err := wire.DecodeMessage(command.ID, command.Body)
	if err != nil {
		if message, err = e.restored(ctx, command.ID, err); err != nil {
			return err
		}
	}
	ctx, cancel := e.config.Within(ctx, deliverFor)
	defer cancel()
	for pause := firstDeliverPause; ; pause = min(2*pause, maxBackoff) {
		failpoint.Reach("engine/delivering")
		err := e.deliver(ctx, message)
		failpoint.Reach("engine/delivered")
		unreadable := errors.Is(err, record.ErrUnreadable)
		if err == nil || isFinal(err) && !unreadable {
			return nil
		}
		// A repair, or a turn behind costly ones, takes longer than a lease.
		if unreadable || errors.Is(err, errCostlyFull) || !e.config.Pause(ctx, pause) {
			return fmt.Errorf("deliver message %s: %w", command.ID, err)
		}
	}
}

// restored returns a message whose body is damaged. What a child tells is in its row as well; other messages wait for a repair.
func (e *Engine) restored(ctx context.Context, id saga.CommandID, damage error) (saga.Message, error) {
	unreadable := fmt.Errorf("read message %s: %w: %w", id, record.ErrUnreadable, damage)
	if id.Step != saga.ParentStep {
		return saga.Message{}, unreadable
	}
	child, err := e.stored(ctx, id.Saga)
	if child != nil && child.Parent != nil {
		return saga.Message{ID: id, Ended: child.Parent}, nil
	}
	return saga.Message{}, cmp.Or(err, unreadable)
}

func (e *Engine) deliver(ctx context.Context, message saga.Message) error {
	switch {
	case message.Start != nil:
		wanted, err := e.wantsChild(ctx, *message.Start)
		if err != nil || !wanted {
			return err
		}
		if err := e.startChild(ctx, message.ID, *message.Start, false); err != nil {
			return err
		}
		return e.unwindUnwanted(ctx, message.ID, *message.Start)
	case message.Unwind != nil:
		return e.unwindChild(ctx, message.ID, *message.Unwind)
	default:
		return e.report(ctx, *message.Ended, message.ID.Saga)
	}
}

// askingStep returns the step that has asked for a child, as its parent is stored; nil: it has gone on to another one, or is gone.
func (e *Engine) askingStep(ctx context.Context, child saga.ChildStart) (*saga.StepState, error) {
	parent, err := e.stored(ctx, child.Parent.Saga)
	if err != nil || parent == nil {
		return nil, err
	}
	i := slices.IndexFunc(parent.Steps, func(s saga.StepState) bool { return s.Name == child.Parent.Step && s.Child() == child.ID })
	if i < 0 {
		return nil, nil //nolint:nilnil // no step asks for it
	}
	return &parent.Steps[i], nil
}

// wantsChild reports whether a step still waits for the child that it asked for. A start that was refused comes again if the
// replica ended before it deleted the message: the parent has then gone on without the child, and would not hear of it.
func (e *Engine) wantsChild(ctx context.Context, child saga.ChildStart) (bool, error) {
	step, err := e.askingStep(ctx, child)
	return step != nil && step.Waiting == saga.WaitForChild, err
}

// unwindUnwanted compensates a child whose step gave it up while it was being started: it could not start at that moment, and
// so counted as compensated.
func (e *Engine) unwindUnwanted(ctx context.Context, asked saga.CommandID, child saga.ChildStart) error {
	step, err := e.askingStep(ctx, child)
	if err != nil || step == nil || step.ChildRevision > 0 || step.Status != saga.StepCompensated && step.Status != saga.StepFailed {
		return err
	}
	if in, err := e.stored(ctx, child.ID); err != nil || in == nil { // it was refused
		return err
	}
	return e.unwindChild(ctx, asked, child)
}

// startChild starts a child, or tells its parent why it cannot. unwound starts it for the record only.
func (e *Engine) startChild(ctx context.Context, asked saga.CommandID, child saga.ChildStart, unwound bool) error {
	refused, err := e.refusesChild(ctx, child)
	if err != nil {
		return err
	}
	if refused == nil {
		start := record.StartRequest{
			SagaID: child.ID, Definition: child.Definition, Data: child.Data, Priority: child.Priority, TraceParent: child.TraceParent,
			Parent: &child.Parent, Unwound: unwound, ComesAgain: true,
		}
		_, _, err := e.Start(ctx, start)
		if reason := startRefusal(err); reason != "" {
			refused = &saga.ReplyError{Code: reason, Message: refusalText(err)}
		} else if err != nil {
			return err
		}
	}
	if refused != nil {
		return e.tellParent(ctx, child.Parent, saga.ChildEnded{Step: child.Parent.Step, Child: child.ID, Refused: refused, Answers: asked})
	}
	return nil
}

// refusesChild returns why a child must not start, or nil. The definitions may have changed since the parent's was registered.
func (e *Engine) refusesChild(ctx context.Context, child saga.ChildStart) (*saga.ReplyError, error) {
	if child.Parent.Level > saga.MaxLevels {
		return &saga.ReplyError{Code: saga.CodeTooDeep, Message: tooDeep()}, nil
	}
	if !child.Compensatable {
		return nil, nil //nolint:nilnil // it may start
	}
	latest, err := e.latestOfChild(ctx, child.Definition)
	if err != nil || latest == nil || !latest.HasPivot() {
		return nil, err
	}
	return &saga.ReplyError{
		Code: saga.CodeChildHasPivot, Message: fmt.Sprintf("definition %s version %d has a pivot, so its sagas cannot be compensated", latest.Name, latest.Version),
	}, nil
}

// unwindChild compensates a child whatever its status. One that was not started yet is started for the record, so that its
// start comes too late.
func (e *Engine) unwindChild(ctx context.Context, asked saga.CommandID, child saga.ChildStart) error {
	answer := e.ask(ctx, &request{kind: applyEvent, sagaID: child.ID, cause: saga.Unwind{}})
	switch {
	case errors.Is(answer.err, record.ErrSagaNotFound):
		gone, err := e.isGone(ctx, child.ID)
		if err != nil {
			return err
		}
		if gone {
			return e.tellGone(ctx, asked, child)
		}
		return e.startUnwound(ctx, asked, child)
	case errors.Is(answer.err, record.ErrUnreadable) && answer.instance.Status.Terminal():
		return e.tellParent(ctx, child.Parent, saga.ChildEnded{
			Step: child.Parent.Step, Child: child.ID, Refused: unreadableChild(answer.instance.Status), Answers: asked, Exists: true,
		})
	case answer.err != nil:
		return answer.err
	case answer.refused != nil:
		refused := &saga.ReplyError{Code: answer.refused.Code, Message: answer.refused.Message}
		return e.tellParent(ctx, child.Parent, saga.ChildEnded{
			Step: child.Parent.Step, Child: child.ID, Refused: refused, Answers: asked, Exists: true,
		})
	case answer.instance.Status == saga.Compensated:
		return e.report(ctx, child.Parent, child.ID)
	default:
		return nil
	}
}

// startUnwound starts a child for the record. If its start has come meanwhile, the child is compensated after all.
func (e *Engine) startUnwound(ctx context.Context, asked saga.CommandID, child saga.ChildStart) error {
	if err := e.startChild(ctx, asked, child, true); err != nil {
		return err
	}
	in, err := e.stored(ctx, child.ID)
	if err != nil || in == nil || in.Status == saga.Compensated {
		return err
	}
	return e.unwindChild(ctx, asked, child)
}

// stored returns a saga as it is stored; nil if it is not. With record.ErrUnreadable it returns the readable part.
func (e *Engine) stored(ctx context.Context, id string) (*saga.Instance, error) {
	found, err := e.config.Store.Saga(ctx, id)
	if errors.Is(err, record.ErrSagaNotFound) {
		return nil, nil //nolint:nilnil // a missing saga is not an error here
	}
	if err != nil {
		return nil, err
	}
	return &found.Instance, found.Unreadable
}
