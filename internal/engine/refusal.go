package engine

import (
	"errors"
	"fmt"

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
		{"definition_not_found", within[*undefinedError]},
		{"definition_not_found", sentinel(record.ErrDefinitionNotFound)},
		{"definition_disabled", sentinel(record.ErrDefinitionDisabled)},
		{"unreadable_definition", sentinel(record.ErrUnreadable)},
		{"idempotency_conflict", sentinel(record.ErrIdempotencyConflict)},
		{"key_in_use", within[*record.KeyInUseError]},
		{"saga_gone", within[*record.SagaGoneError]},
		{record.ReasonRejected, sentinel(record.ErrRejected)},
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

// undefinedError is record.ErrDefinitionNotFound with what a start asked for.
type undefinedError struct {
	name    string
	version int // 0: the latest
}

// Error names the definition, and the version if one was asked for.
func (e *undefinedError) Error() string {
	if e.version == 0 {
		return fmt.Sprintf("definition %q not found", e.name)
	}
	return fmt.Sprintf("definition %q version %d not found", e.name, e.version)
}

// Unwrap returns record.ErrDefinitionNotFound.
func (e *undefinedError) Unwrap() error { return record.ErrDefinitionNotFound }

// startFault wraps an error of a start. It names a definition that does not exist.
func startFault(start record.StartRequest, err error) error {
	if errors.Is(err, record.ErrDefinitionNotFound) {
		err = &undefinedError{name: start.Definition, version: start.Version}
	}
	return fmt.Errorf("start a saga of %q: %w", start.Definition, err)
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
