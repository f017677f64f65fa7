package record

import (
	"errors"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// The conditions that stores and the engine report. They may be wrapped: test with errors.Is.
var (
	ErrSagaNotFound       = errors.New("saga not found")
	ErrDefinitionDisabled = errors.New("the definition is disabled")
	ErrDefinitionNotFound = errors.New("definition not found")
	ErrDeadLetterNotFound = errors.New("dead letter not found")
	ErrKeyNotFound        = errors.New("key not found")
	// ErrKeyEnded means that a key has expired or was revoked, so it cannot be rotated.
	ErrKeyEnded        = errors.New("key expired or revoked")
	ErrQueueNotFound   = errors.New("queue not found")
	ErrWebhookNotFound = errors.New("webhook not found")
	// ErrTooManyWebhooks means that there are MaxWebhooks already.
	ErrTooManyWebhooks = errors.New("too many webhooks")
	// ErrURLTooLong means that SQL has stored a webhook's URL to which nothing is delivered.
	ErrURLTooLong = errors.New("the webhook's URL is longer than 8 KiB")
	// ErrPageNotFound means that Page.After is not a position in the list. Start again at the first page.
	ErrPageNotFound = errors.New("page not found")
	// ErrRejected means that the store will never accept this input, however often it is retried.
	ErrRejected = errors.New("rejected by the store")
	// ErrUnreadable means that a stored saga or definition exists but cannot be read: a newer version of the program
	// wrote it, or an operator edited the row. Retrying does not help, and other sagas are not affected.
	ErrUnreadable = errors.New("stored in a form that this version cannot read")
	// ErrIdempotencyConflict means that the idempotency key already stands for another request.
	ErrIdempotencyConflict = errors.New("the idempotency key was used with another body")
	// ErrUnavailable means that the engine or the store did not answer in time, so the outcome is unknown. Looking, or
	// asking again under the same idempotency key, is safe.
	ErrUnavailable = errors.New("no answer in time")
	// ErrCostly means that a request has waited for its turn behind sagas whose conditions or schemas take long. It may take effect yet.
	ErrCostly = fmt.Errorf("%w: the conditions or schemas of the definition take long", ErrUnavailable)

	ErrBulkNotFound = errors.New("bulk action not found")
	// ErrBulkNotApplicable means that the status of the bulk action does not allow it to be continued or cancelled.
	ErrBulkNotApplicable = errors.New("does not apply to the bulk action's status")
	// ErrBulkTooLarge means that the filter selects more than MaxBulkTargets.
	ErrBulkTooLarge = errors.New("the filter selects too many")
	// ErrBulkOver means that a target must not be decided: it has an outcome, the bulk action is not running, or another
	// replica carries it out.
	ErrBulkOver = errors.New("the target of the bulk action is not to be decided")
)

// SagaGoneError reports that the idempotency key stands for a saga that retention has deleted.
type SagaGoneError struct{ SagaID string }

// Error names the condition; the saga's id is in the field.
func (e *SagaGoneError) Error() string { return "the saga of the idempotency key is deleted" }

// InvalidDataError reports that the data of a start does not match the schema of its definition. The pointers are into the
// data.
type InvalidDataError struct{ Faults saga.Faults }

// Error names the first fault.
func (e *InvalidDataError) Error() string {
	return fmt.Sprintf("the data does not match the definition's data_schema: %q %s", e.Faults[0].Pointer, e.Faults[0].Message)
}

// ChildHasPivotError reports that steps which may have to be compensated start sagas that cannot be. The pointers are into the
// definition.
type ChildHasPivotError struct{ Faults saga.Faults }

// Error names the first fault.
func (e *ChildHasPivotError) Error() string {
	return fmt.Sprintf("a child saga has a pivot: %s %s", e.Faults[0].Pointer, e.Faults[0].Message)
}

// KeyInUseError reports that an unfinished saga of the definition holds the business key.
type KeyInUseError struct{ SagaID string }

// Error names the condition; the saga's id is in the field.
func (e *KeyInUseError) Error() string { return "the key is in use by an unfinished saga" }
