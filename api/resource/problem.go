package resource

import (
	"fmt"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// The stable codes of problems.
const (
	CodeInvalidBody          = "invalid_body"           // the body is not a valid JSON document
	CodeUnknownField         = "unknown_field"          // the body has an unknown member
	CodeInvalidField         = "invalid_field"          // a member of the body is invalid
	CodeInvalidParameter     = "invalid_parameter"      // a parameter in the path, the query or a header is invalid
	CodeInvalidHeader        = "invalid_header"         // a header occurs more than once
	CodeInvalidDefinition    = "invalid_definition"     // errors lists every fault
	CodeIdempotencyConflict  = "idempotency_conflict"   // the key was used with a different body
	CodeKeyInUse             = "key_in_use"             // saga_id names the saga that holds the key
	CodeSagaGone             = "saga_gone"              // saga_id names the deleted saga of the idempotency key
	CodeNotApplicable        = "not_applicable"         // allowed_actions lists the actions that apply
	CodeRevisionMoved        = "revision_moved"         // the saga is not at the revision of If-Match
	CodeUnknownSignal        = "unknown_signal"         // a step of the definition does not wait for it
	CodeSignalTaken          = "signal_taken"           // the signal was given before
	CodeInvalidData          = "invalid_data"           // the data does not match the schema of the definition
	CodeChildHasPivot        = saga.CodeChildHasPivot   // a child saga that may have to be compensated cannot be
	CodeInvalidOutput        = "invalid_output"         // the output does not match the schema of the step
	CodeUnknownStep          = "unknown_step"           // the saga does not have the step
	CodeDataTooLarge         = "data_too_large"         // the saga's data would exceed its limit
	CodeFilterRequired       = "filter_required"        // a bulk action requires a filter
	CodeTooMany              = "too_many"               // the filter selects more targets than a bulk action may have
	CodeDefinitionDisabled   = "definition_disabled"    // sagas of the definition cannot be started
	CodeActionNotFound       = "action_not_found"       // the bulk action does not exist
	CodeSagaNotFound         = "saga_not_found"         //
	CodeDefinitionNotFound   = "definition_not_found"   //
	CodeDeadLetterNotFound   = "dead_letter_not_found"  //
	CodeQueueNotFound        = "queue_not_found"        //
	CodeWebhookNotFound      = "webhook_not_found"      //
	CodeKeyNotFound          = "key_not_found"          //
	CodeNotFound             = "not_found"              // the path does not exist
	CodeMethodNotAllowed     = "method_not_allowed"     //
	CodeUnsupportedMediaType = "unsupported_media_type" //
	CodePayloadTooLarge      = "payload_too_large"      //
	CodeUnauthorized         = "unauthorized"           // the key is missing or invalid
	CodeForbidden            = "forbidden"              // the key lacks the role
	CodeUnavailable          = "unavailable"            // the database did not answer in time; retry
	CodeUnreadable           = "unreadable"             // this version cannot read the stored saga or definition
	CodeBusy                 = "busy"                   // too many requests; the request was not begun; see Retry-After
	CodeRateLimited          = "rate_limited"           // the key has reached its rate; the request was not begun; see Retry-After
	CodeForbiddenHost        = "forbidden_host"         // without authentication: the Host is not this machine
	CodeForbiddenOrigin      = "forbidden_origin"       // without authentication: a page of another site sent it
	CodeInternal             = "internal"               // a defect; see the server log for the request id
)

// Problem is an error of the API, as an RFC 9457 problem document.
type Problem struct {
	Title          string            `json:"title" doc:"The HTTP status in words"`
	Status         int               `json:"status" doc:"The HTTP status"`
	Code           string            `json:"code" doc:"Stable code of the fault, for programs"`
	Detail         string            `json:"detail,omitempty" doc:"Description of the fault, for humans"`
	Errors         []FieldError      `json:"errors,omitempty" doc:"Every fault of the request"`
	SagaID         string            `json:"saga_id,omitempty" doc:"With key_in_use: the saga that holds the key; with saga_gone: the deleted saga"`
	AllowedActions []saga.ActionName `json:"allowed_actions,omitzero" doc:"With not_applicable: the actions that apply now; may be empty"`
	RetryAfter     time.Duration     `json:"-"` // from the header Retry-After, for clients; 0: none
}

// FieldError is one fault of a request. It names the member or parameter and never repeats the value.
type FieldError struct {
	Pointer   string `json:"pointer,omitempty" doc:"JSON pointer into the body"`
	Parameter string `json:"parameter,omitempty" doc:"Name of the parameter or header"`
	Message   string `json:"message"`
}

// Error returns the problem on one line.
func (p *Problem) Error() string {
	var text strings.Builder
	text.WriteString(p.Code)
	if p.Detail != "" {
		text.WriteString(": " + p.Detail)
	}
	for _, fault := range p.Errors {
		text.WriteString("; " + fault.Pointer + fault.Parameter + ": " + fault.Message)
	}
	if p.SagaID != "" {
		text.WriteString(" (saga " + p.SagaID + ")")
	}
	if len(p.AllowedActions) > 0 {
		fmt.Fprintf(&text, " (allowed actions: %v)", p.AllowedActions)
	}
	return text.String()
}

// GetStatus returns the HTTP status; the router calls it.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType returns the media type of problem documents; the router calls it.
func (p *Problem) ContentType(string) string { return "application/problem+json" }
