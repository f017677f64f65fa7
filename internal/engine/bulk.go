package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// ActInBulk applies an action to one target of a bulk action and stores the outcome in the same transaction: done,
// refused, or failed if no decision is possible on the saga. Error: record.ErrBulkOver; after any other error the
// target has no outcome.
func (e *Engine) ActInBulk(ctx context.Context, action saga.Action, ref record.BulkRef) error {
	return e.settleTarget(ctx, &request{kind: applyEvent, sagaID: ref.Target, cause: action, bulk: &ref})
}

// DiscardInBulk deletes a dead letter that is a target of a bulk action, and stores the outcome in the same
// transaction. Errors: as ActInBulk.
func (e *Engine) DiscardInBulk(ctx context.Context, ref record.BulkRef) error {
	letter := &record.DeadLetter{ID: ref.Target}
	return e.settleTarget(ctx, &request{kind: discardLetter, sagaID: ref.Target, letter: letter, bulk: &ref})
}

// FailInBulk stores that no decision was possible on a target. Errors: as ActInBulk.
func (e *Engine) FailInBulk(ctx context.Context, ref record.BulkRef, why string) error {
	return e.settleTarget(ctx, &request{kind: settleTarget, sagaID: ref.Target, bulk: &ref, outcome: record.BulkFailed, why: why})
}

// RefuseInBulk stores that the action does not apply to a target. Errors: as ActInBulk.
func (e *Engine) RefuseInBulk(ctx context.Context, ref record.BulkRef, why string) error {
	return e.settleTarget(ctx, &request{kind: settleTarget, sagaID: ref.Target, bulk: &ref, outcome: record.BulkRefused, why: why})
}

func (e *Engine) settleTarget(ctx context.Context, r *request) error {
	answer := e.ask(ctx, r)
	if errors.Is(answer.err, record.ErrRejected) && r.kind != settleTarget {
		return e.FailInBulk(ctx, *r.bulk, "the store rejects what was decided")
	}
	if answer.err != nil && !isOutcome(answer.err) {
		return fmt.Errorf("decide %s of bulk action %s: %w", r.bulk.Target, r.bulk.Bulk, answer.err)
	}
	return nil
}

// isOutcome reports whether an error is the outcome of a target. What another replica can read it may decide.
func isOutcome(err error) bool {
	return !errors.Is(err, record.ErrPayloadKeys) && (errors.Is(err, record.ErrSagaNotFound) || errors.Is(err, record.ErrDeadLetterNotFound) || errors.Is(err, record.ErrUnreadable))
}

// Redrive repeats the delivery of a dead letter and deletes it. A reply or a start is received again; a command is
// published again if its step still awaits a reply. sentTo is where it went. Of several redrives at the same time, one finds the
// letter. Errors: *saga.Refusal, record.ErrDeadLetterNotFound, record.ErrSagaNotFound, and those of Start.
func (e *Engine) Redrive(ctx context.Context, letter record.DeadLetter, action saga.Action) (sentTo string, err error) {
	r, err := e.redriveRequest(ctx, letter, action)
	if err != nil {
		return "", err
	}
	answer := e.ask(ctx, r)
	switch {
	case errors.Is(answer.err, record.ErrSagaNotFound):
		return "", notRedriven(sagaGone)
	case answer.err == nil && answer.refused != nil && answer.refused.Code == saga.RefusedUnknownCommand:
		return "", notRedriven("the saga has sent no such command: discard the dead letter")
	case answer.err == nil && answer.refused != nil:
		return "", answer.refused
	case answer.err != nil:
		return "", fmt.Errorf("redrive dead letter %s: %w", letter.ID, answer.err)
	}
	return answer.sentTo, nil
}

// sagaGone is why a dead letter of a saga that does not exist is not redriven.
const sagaGone = "the saga does not exist: discard the dead letter"

// RedriveInBulk redrives a dead letter that is a target of a bulk action, and stores the outcome in the same
// transaction. Errors: as ActInBulk.
func (e *Engine) RedriveInBulk(ctx context.Context, letter record.DeadLetter, action saga.Action, ref record.BulkRef) error {
	r, err := e.redriveRequest(ctx, letter, action)
	if err != nil && transient(err) {
		return err
	}
	if err != nil {
		r = &request{kind: settleTarget, sagaID: ref.Target, outcome: record.BulkRefused, why: err.Error()}
	}
	r.bulk = &ref
	return e.settleTarget(ctx, r)
}

// transient reports whether a retry may succeed.
func transient(err error) bool {
	return errors.Is(err, record.ErrUnavailable) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// redriveRequest returns the request that redrives a dead letter. A start is made at once, because its idempotency key
// makes a repetition safe; the request then only deletes the letter.
func (e *Engine) redriveRequest(ctx context.Context, letter record.DeadLetter, action saga.Action) (*request, error) {
	if letter.Source == record.SourceStart {
		err := e.redriveStart(ctx, letter, action)
		return &request{kind: discardLetter, sagaID: letter.ID, letter: &letter, redrives: true}, err
	}
	id, err := saga.ParseCommandID(letter.CommandID)
	if err != nil {
		return nil, notRedriven("the dead letter names no command: discard it")
	}
	r := &request{kind: applyEvent, sagaID: id.Saga, letter: &letter, redrives: true}
	if letter.Source == record.SourceCommand {
		action.Name, action.Command = saga.ActionRedrive, id
		r.cause = action
		return r, nil
	}
	reply, err := wire.DecodeReply(letter.CommandID, letter.Body)
	if err != nil {
		return nil, notRedriven(err.Error() + ": discard it")
	}
	if reply.OutputFault != "" {
		return nil, notRedriven(reply.OutputFault + ": the step took effect, so skip it with a corrected output")
	}
	r.cause = reply
	return r, nil
}

func notRedriven(why string) error {
	return &saga.Refusal{Code: saga.RefusedNotApplicable, Message: why}
}

func (e *Engine) redriveStart(ctx context.Context, letter record.DeadLetter, action saga.Action) error {
	headers := make(map[string]any)
	if err := json.Unmarshal(letter.Headers, &headers); err != nil {
		return notRedriven("the dead letter's headers cannot be read: discard it")
	}
	key, _ := headers[wire.HeaderIdempotencyKey].(string)
	if e.config.DecodeStart == nil {
		return notRedriven("this orchestrator takes no starts by message")
	}
	start, err := e.config.DecodeStart(wire.Message{Queue: letter.Queue, MessageID: key, Headers: headers, Body: letter.Body})
	if err != nil {
		return notRedriven(err.Error() + ": discard it")
	}
	start.Actor = action.Actor
	_, _, err = e.Start(ctx, start)
	return startNotRedriven(err)
}

// startNotRedriven adds to a refused start what an operator can do.
func startNotRedriven(err error) error {
	var inUse *record.KeyInUseError
	switch {
	case errors.As(err, &inUse):
		return notRedriven("saga " + inUse.SagaID + " holds the business key: redrive the dead letter once that saga has ended")
	case errors.Is(err, record.ErrIdempotencyConflict):
		return notRedriven("the idempotency key was used with a different request: discard the dead letter")
	case errors.Is(err, record.ErrDefinitionNotFound):
		return notRedriven("the definition, or this version of it, does not exist: register it, then redrive the dead letter")
	case errors.Is(err, record.ErrDefinitionDisabled):
		return notRedriven("the definition is disabled: enable it, then redrive the dead letter")
	default:
		return err
	}
}

// decideTarget decides a request and collects what is stored with it: the outcome of a target, and the deletion of a
// dead letter.
func (b *batchState) decideTarget(r *request, decide func(*request) (answer, error)) (answer, error) {
	if r.bulk != nil && b.loaded.BulkOver[*r.bulk] {
		return answer{err: record.ErrBulkOver}, nil
	}
	if r.redrives && (b.loaded.LettersGone[r.letter.ID] || slices.Contains(b.discarded, r.letter.ID)) {
		return b.targetGone(r), nil
	}
	known := len(b.commands)
	before, _ := b.stateOf(r.sagaID)
	a, err := decide(r)
	if err != nil || a.busy {
		return a, err
	}
	accepted := a.err == nil && a.refused == nil
	if r.letter != nil && accepted {
		b.discarded, a.sentTo = append(b.discarded, r.letter.ID), r.letter.Queue
		if action, is := r.cause.(saga.Action); is && action.Name == saga.ActionRedrive {
			a.sentTo = b.redrive(known, r.letter)
		}
	}
	if r.caller != nil && accepted && r.kind != settleTarget {
		if err := b.auditChange(r, before, a.sentTo); err != nil {
			return answer{}, err
		}
	}
	if r.bulk != nil {
		result := record.BulkResult{BulkRef: *r.bulk, Outcome: record.BulkDone}
		switch {
		case a.refused != nil:
			result.Outcome, result.Message = record.BulkRefused, a.refused.Message
		case errors.Is(a.err, record.ErrSagaNotFound) && r.redrives:
			result.Outcome, result.Message = record.BulkRefused, sagaGone
		case errors.Is(a.err, record.ErrSagaNotFound):
			result.Outcome, result.Message = record.BulkRefused, "the saga does not exist"
		case a.err != nil:
			result.Outcome, result.Message = record.BulkFailed, a.err.Error()
		case r.kind == settleTarget:
			result.Outcome, result.Message = r.outcome, r.why
		}
		b.results = append(b.results, result)
	}
	return a, nil
}

// targetGone answers a redrive that came too late: the letter was redriven by another action, discarded or deleted by its age.
func (b *batchState) targetGone(r *request) answer {
	if r.bulk != nil {
		b.results = append(b.results, record.BulkResult{BulkRef: *r.bulk, Outcome: record.BulkRefused, Message: "the dead letter is gone"})
	}
	return answer{err: record.ErrDeadLetterNotFound}
}

// redrive gives the commands from index known on the bytes of the dead letter, because an id never has two bodies. It returns
// their queue, which the dead letter may not know.
func (b *batchState) redrive(known int, letter *record.DeadLetter) (queue string) {
	queue = letter.Queue
	for _, command := range b.commands[known:] {
		command.Body, queue = letter.Body, command.Queue
		b.redriven = append(b.redriven, command)
	}
	b.commands = b.commands[:known]
	return queue
}
