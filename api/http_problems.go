package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// statusOf is the table of problem codes and their HTTP statuses.
func statusOf(code string) int {
	switch code {
	case resource.CodeInvalidBody, resource.CodeInvalidHeader:
		return http.StatusBadRequest
	case resource.CodeUnauthorized:
		return http.StatusUnauthorized
	case resource.CodeForbidden, resource.CodeForbiddenHost, resource.CodeForbiddenOrigin:
		return http.StatusForbidden
	case resource.CodeSagaNotFound, resource.CodeDefinitionNotFound, resource.CodeDeadLetterNotFound,
		resource.CodeKeyNotFound, resource.CodeNotFound:
		return http.StatusNotFound
	case resource.CodeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case resource.CodeKeyInUse, resource.CodeNotApplicable, resource.CodeUnreadable:
		return http.StatusConflict
	case resource.CodeRevisionMoved:
		return http.StatusPreconditionFailed
	case resource.CodePayloadTooLarge:
		return http.StatusRequestEntityTooLarge
	case resource.CodeUnsupportedMediaType:
		return http.StatusUnsupportedMediaType
	case resource.CodeUnknownField, resource.CodeInvalidField, resource.CodeInvalidParameter,
		resource.CodeInvalidDefinition, resource.CodeIdempotencyConflict, resource.CodeUnknownStep,
		resource.CodeDataTooLarge:
		return http.StatusUnprocessableEntity
	case resource.CodeUnavailable, resource.CodeBusy:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// problem makes the problem document of a code.
func problem(code, detail string, faults ...resource.FieldError) *resource.Problem {
	status := statusOf(code)
	return &resource.Problem{
		Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Errors: faults,
	}
}

// problemOf is the table of errors and their problems. What is in no row is a defect, of which nothing is told.
func problemOf(err error) *resource.Problem {
	var (
		made     *resource.Problem
		keyInUse *record.KeyInUseError
		refusal  *saga.Refusal
		faults   saga.Faults
	)
	switch {
	case errors.As(err, &made):
		return made
	case errors.Is(err, record.ErrSagaNotFound):
		return problem(resource.CodeSagaNotFound, "There is no saga with this id.")
	case errors.Is(err, record.ErrPageNotFound):
		return problem(resource.CodeInvalidParameter, invalidParameter,
			resource.FieldError{Parameter: "cursor", Message: "names no item of this list any more: start at the first page"})
	case errors.Is(err, record.ErrDefinitionNotFound):
		return problem(resource.CodeDefinitionNotFound, "There is no such definition, or no such version of it.")
	case errors.Is(err, record.ErrDeadLetterNotFound):
		return problem(resource.CodeDeadLetterNotFound, "There is no dead letter with this id.")
	case errors.Is(err, record.ErrKeyNotFound):
		return problem(resource.CodeKeyNotFound, "There is no key with this id.")
	case errors.Is(err, record.ErrIdempotencyConflict):
		return problem(resource.CodeIdempotencyConflict, "The idempotency key was used with another request.")
	case errors.As(err, &keyInUse):
		found := problem(resource.CodeKeyInUse, "The key is in use by an unfinished saga of the definition.")
		found.SagaID = keyInUse.SagaID
		return found
	case errors.Is(err, record.ErrUnreadable):
		return problem(resource.CodeUnreadable, "What is stored of it cannot be read by this version of the orchestrator: a newer one "+
			"wrote it, or it was edited by hand.")
	case errors.As(err, &refusal):
		return problem(refusal.Code, refusal.Message)
	case errors.As(err, &faults):
		return problem(resource.CodeInvalidDefinition, "The definition has faults.", fieldErrors(faults)...)
	case unavailable(err):
		return problem(resource.CodeUnavailable, "The request was not answered in time, and it is not known whether it "+
			"took effect. Try again; a start that is tried again with the same Idempotency-Key starts one saga.")
	default:
		return problem(resource.CodeInternal, "Something is wrong inside. The log tells more, under the request id.")
	}
}

func fieldErrors(faults saga.Faults) []resource.FieldError {
	listed := make([]resource.FieldError, len(faults))
	for i, fault := range faults {
		listed[i] = resource.FieldError{Pointer: fault.Pointer, Message: fault.Message}
	}
	return listed
}

// fail turns an error into the answer to a request, and logs what the answer does not tell.
func (s *service) fail(ctx context.Context, err error) error {
	answer := problemOf(err)
	if answer.Status >= http.StatusInternalServerError {
		s.Logger.ErrorContext(ctx, "request failed", "error", err, "code", answer.Code, "request_id", requestID(ctx))
	}
	return answer
}

// writeProblem answers where no huma operation has the request yet.
func writeProblem(w http.ResponseWriter, answer *resource.Problem) {
	w.Header().Set("Content-Type", answer.ContentType(""))
	if answer.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="saga orchestrator"`)
	}
	w.WriteHeader(answer.Status)
	_ = jsonFormat().Marshal(w, answer) // the client has gone: there is nobody to tell
}
