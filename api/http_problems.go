package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// statusOf returns the HTTP status of a problem code.
func statusOf(code string) int {
	switch code {
	case resource.CodeInvalidBody, resource.CodeInvalidHeader:
		return http.StatusBadRequest
	case resource.CodeUnauthorized:
		return http.StatusUnauthorized
	case resource.CodeForbidden, resource.CodeForbiddenHost, resource.CodeForbiddenOrigin:
		return http.StatusForbidden
	case resource.CodeSagaNotFound, resource.CodeDefinitionNotFound, resource.CodeDeadLetterNotFound,
		resource.CodeKeyNotFound, resource.CodeActionNotFound, resource.CodeQueueNotFound, resource.CodeWebhookNotFound,
		resource.CodeUnknownSignal, resource.CodeNotFound:
		return http.StatusNotFound
	case resource.CodeSagaGone:
		return http.StatusGone
	case resource.CodeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case resource.CodeKeyInUse, resource.CodeNotApplicable, resource.CodeSignalTaken, resource.CodeUnreadable, resource.CodeDefinitionDisabled:
		return http.StatusConflict
	case resource.CodeRevisionMoved:
		return http.StatusPreconditionFailed
	case resource.CodePayloadTooLarge:
		return http.StatusRequestEntityTooLarge
	case resource.CodeUnsupportedMediaType:
		return http.StatusUnsupportedMediaType
	case resource.CodeUnknownField, resource.CodeInvalidField, resource.CodeInvalidParameter,
		resource.CodeInvalidDefinition, resource.CodeIdempotencyConflict, resource.CodeUnknownStep,
		resource.CodeDataTooLarge, resource.CodeInvalidData, resource.CodeInvalidOutput, resource.CodeChildHasPivot, resource.CodeFilterRequired, resource.CodeTooMany:
		return http.StatusUnprocessableEntity
	case resource.CodeRateLimited:
		return http.StatusTooManyRequests
	case resource.CodeUnavailable, resource.CodeBusy:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// problem returns the problem document of a code.
func problem(code, detail string, faults ...resource.FieldError) *resource.Problem {
	status := statusOf(code)
	return &resource.Problem{
		Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Errors: faults,
	}
}

// problemOf returns the problem of an error. An error without a row is a defect, whose text must not reach the caller.
func problemOf(err error) *resource.Problem {
	var (
		made     *resource.Problem
		keyInUse *record.KeyInUseError
		gone     *record.SagaGoneError
		invalid  *record.InvalidDataError
		pivots   *record.ChildHasPivotError
		refusal  *saga.Refusal
		faults   saga.Faults
	)
	switch {
	case errors.As(err, &made):
		return made
	case errors.Is(err, record.ErrSagaNotFound):
		return problem(resource.CodeSagaNotFound, "A saga with this id does not exist.")
	case errors.Is(err, record.ErrPageNotFound):
		return problem(resource.CodeInvalidParameter, invalidParameter,
			resource.FieldError{Parameter: "cursor", Message: "names an item that does not exist any more: start at the first page"})
	case errors.Is(err, record.ErrDefinitionNotFound):
		return problem(resource.CodeDefinitionNotFound, "The definition, or this version of it, does not exist.")
	case errors.Is(err, record.ErrDefinitionDisabled):
		return problem(resource.CodeDefinitionDisabled, "The definition is disabled, so its sagas cannot be started.")
	case errors.Is(err, record.ErrQueueNotFound):
		return problem(resource.CodeQueueNotFound, "A worker queue with this name does not exist in any definition.")
	case errors.Is(err, record.ErrWebhookNotFound):
		return problem(resource.CodeWebhookNotFound, "A webhook with this name does not exist.")
	case errors.Is(err, record.ErrTooManyWebhooks):
		return problem(resource.CodeTooMany, "There are "+decimal(record.MaxWebhooks)+" webhooks already.")
	case errors.Is(err, record.ErrBulkNotFound):
		return problem(resource.CodeActionNotFound, "A bulk action with this id does not exist.")
	case errors.Is(err, record.ErrBulkNotApplicable):
		return problem(resource.CodeNotApplicable, "The call does not apply to the status of the bulk action.")
	case errors.Is(err, record.ErrBulkTooLarge):
		return problem(resource.CodeTooMany, "The filter selects more than "+decimal(record.MaxBulkTargets)+" targets.")
	case errors.Is(err, record.ErrDeadLetterNotFound):
		return problem(resource.CodeDeadLetterNotFound, "A dead letter with this id does not exist.")
	case errors.Is(err, record.ErrKeyNotFound):
		return problem(resource.CodeKeyNotFound, "A key with this id does not exist.")
	case errors.Is(err, record.ErrKeyEnded):
		return problem(resource.CodeNotApplicable, "The key has expired or was revoked, so it cannot be rotated. Create a new one.")
	case errors.Is(err, record.ErrIdempotencyConflict):
		return problem(resource.CodeIdempotencyConflict, "The idempotency key was used with a different request.")
	case errors.As(err, &keyInUse):
		found := problem(resource.CodeKeyInUse, "An unfinished saga of the definition holds the business key.")
		found.SagaID = keyInUse.SagaID
		return found
	case errors.As(err, &gone):
		found := problem(resource.CodeSagaGone, "The saga of the idempotency key has ended and was deleted.")
		found.SagaID = gone.SagaID
		return found
	case errors.As(err, &pivots):
		return problem(resource.CodeChildHasPivot, "A child saga that may have to be compensated has a pivot.", fieldErrors(pivots.Faults, "")...)
	case errors.As(err, &invalid):
		return problem(resource.CodeInvalidData, "The data does not match the data_schema of the definition.", fieldErrors(invalid.Faults, "/data")...)
	case errors.Is(err, record.ErrUnreadable):
		return unreadProblem(err)
	case errors.As(err, &refusal):
		return problem(refusal.Code, refusal.Message)
	case errors.As(err, &faults):
		return problem(resource.CodeInvalidDefinition, "The definition is invalid.", fieldErrors(faults, "")...)
	case errors.Is(err, record.ErrCostly):
		return problem(resource.CodeUnavailable, "The conditions or schemas of the definition take long, so its sagas take turns, apart from those of others. "+maybeTaken)
	case unavailable(err):
		return problem(resource.CodeUnavailable, "The request timed out, or the database is not available as it should be. "+maybeTaken)
	default:
		return problem(resource.CodeInternal, "Internal error. See the server log for this request id.")
	}
}

const maybeTaken = "The request may or may not have taken effect. Retry it; a start or a bulk action that is retried with the same " +
	"Idempotency-Key takes effect once."

// fieldErrors returns the faults of the value that stands at the pointer at.
func fieldErrors(faults saga.Faults, at string) []resource.FieldError {
	listed := make([]resource.FieldError, len(faults))
	for i, fault := range faults {
		listed[i] = resource.FieldError{Pointer: at + fault.Pointer, Message: fault.Message}
	}
	return listed
}

// fail returns the problem of an error, and logs the error if the problem hides it.
func (s *service) fail(ctx context.Context, err error) error {
	answer := problemOf(err)
	switch {
	case answer.Status < http.StatusInternalServerError:
	case errors.Is(ctx.Err(), context.Canceled): // the caller left before the answer, so nothing has failed
		s.Logger.DebugContext(ctx, "the caller left", "error", err, "request_id", requestID(ctx))
	default:
		s.Logger.ErrorContext(ctx, "request failed", "error", err, "code", answer.Code, "request_id", requestID(ctx))
	}
	return answer
}

// challenge is the WWW-Authenticate of every 401 (RFC 9110, section 15.5.2).
const challenge = `Bearer realm="saga orchestrator"`

// challenged adds the challenge to a 401 of an operation, whose key may end while it waits.
func challenged(err error) error {
	if answer, is := errors.AsType[*resource.Problem](err); is && answer.Status == http.StatusUnauthorized {
		return huma.ErrorWithHeaders(err, http.Header{"WWW-Authenticate": {challenge}})
	}
	return err
}

// writeProblem answers a request that has not reached a huma operation.
func writeProblem(w http.ResponseWriter, answer *resource.Problem) {
	w.Header().Set("Content-Type", answer.ContentType(""))
	if answer.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", challenge)
	}
	w.WriteHeader(answer.Status)
	_ = jsonFormat().Marshal(w, answer) // an error means that the client has left
}
