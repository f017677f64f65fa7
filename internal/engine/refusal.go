package engine

import (
	"errors"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// refusal is a reason why a start will never be accepted, and the error that says so.
type refusal struct {
	reason string
	is     func(error) error // the error within another one, or nil
}

func refusals() []refusal {
	return []refusal{
		{saga.CodeChildHasPivot, within[*record.ChildHasPivotError]},
		{"invalid_data", within[*record.InvalidDataError]},
		{"definition_not_found", sentinel(record.ErrDefinitionNotFound)},
		{"definition_disabled", sentinel(record.ErrDefinitionDisabled)},
		{"unreadable_definition", sentinel(record.ErrUnreadable)},
		{"idempotency_conflict", sentinel(record.ErrIdempotencyConflict)},
		{"key_in_use", within[*record.KeyInUseError]},
		{"saga_gone", within[*record.SagaGoneError]},
		{reasonRejected, sentinel(record.ErrRejected)},
	}
}

func within[E error](err error) error {
	if found, is := errors.AsType[E](err); is {
		return found
	}
	return nil
}

func sentinel(target error) func(error) error {
	return func(err error) error {
		if errors.Is(err, target) {
			return target
		}
		return nil
	}
}

// startRefusal returns the reason why a start will never be accepted, or "" if a retry may succeed.
func startRefusal(err error) string {
	for _, r := range refusals() {
		if r.is(err) != nil {
			return r.reason
		}
	}
	return ""
}

// refusalText says why a start is refused, for those who made it: without what was attempted inside.
func refusalText(err error) string {
	for _, r := range refusals() {
		if found := r.is(err); found != nil {
			return found.Error()
		}
	}
	return err.Error()
}
