package resource

import (
	"fmt"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Codes of problems: stable, for programs. Their HTTP statuses stand in one table in the api package.
const (
	CodeInvalidBody          = "invalid_body"           // not one JSON document that every store reads alike
	CodeUnknownField         = "unknown_field"          // a member that the body does not have
	CodeInvalidField         = "invalid_field"          // a member of the body is out of its limits
	CodeInvalidParameter     = "invalid_parameter"      // of the path, the query or a header
	CodeInvalidHeader        = "invalid_header"         // a header that may stand once stands twice
	CodeInvalidDefinition    = "invalid_definition"     // errors names every fault
	CodeIdempotencyConflict  = "idempotency_conflict"   // the key was used with another body
	CodeKeyInUse             = "key_in_use"             // saga_id names the saga that holds the key
	CodeNotApplicable        = "not_applicable"         // allowed_actions says what does apply
	CodeRevisionMoved        = "revision_moved"         // the saga is not at the revision of If-Match
	CodeUnknownStep          = "unknown_step"           // the saga has no such step
	CodeDataTooLarge         = "data_too_large"         // the saga's data would pass its limit
	CodeSagaNotFound         = "saga_not_found"         //
	CodeDefinitionNotFound   = "definition_not_found"   //
	CodeDeadLetterNotFound   = "dead_letter_not_found"  //
	CodeKeyNotFound          = "key_not_found"          //
	CodeNotFound             = "not_found"              // no such path
	CodeMethodNotAllowed     = "method_not_allowed"     //
	CodeUnsupportedMediaType = "unsupported_media_type" //
	CodePayloadTooLarge      = "payload_too_large"      //
	CodeUnauthorized         = "unauthorized"           // no valid key
	CodeForbidden            = "forbidden"              // the key lacks the role
	CodeUnavailable          = "unavailable"            // the database did not answer in time; try again
	CodeUnreadable           = "unreadable"             // the saga or the definition is stored in a form that this version cannot read
	CodeBusy                 = "busy"                   // too many requests of this kind at present; nothing was begun; see Retry-After
	CodeForbiddenHost        = "forbidden_host"         // without authentication: the Host is not one of this machine
	CodeForbiddenOrigin      = "forbidden_origin"       // without authentication: a page of another site sent it
	CodeInternal             = "internal"               // a defect; the log has it under the request id
)

// Problem is an RFC 9457 problem document, and an error.
type Problem struct {
	Title          string            `json:"title" doc:"The HTTP status in words"`
	Status         int               `json:"status" doc:"The HTTP status"`
	Code           string            `json:"code" doc:"What is wrong, for programs: stable"`
	Detail         string            `json:"detail,omitempty" doc:"What is wrong, for people"`
	Errors         []FieldError      `json:"errors,omitempty" doc:"Each fault of the request by itself"`
	SagaID         string            `json:"saga_id,omitempty" doc:"With key_in_use: the saga that holds the key"`
	AllowedActions []saga.ActionName `json:"allowed_actions,omitzero" doc:"With not_applicable: what may be done now, which may be nothing"`
	RetryAfter     time.Duration     `json:"-"` // from the header Retry-After, for clients; 0: none
}

// FieldError is one fault of a request. It names the place and never repeats the value.
type FieldError struct {
	Pointer   string `json:"pointer,omitempty" doc:"JSON pointer into the body"`
	Parameter string `json:"parameter,omitempty" doc:"Name of the parameter or header"`
	Message   string `json:"message"`
}

// Error is the problem in one line.
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
		fmt.Fprintf(&text, " (what may be done: %v)", p.AllowedActions)
	}
	return text.String()
}

// GetStatus is the HTTP status, asked for by the router.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is that of problem documents, whatever was negotiated.
func (p *Problem) ContentType(string) string { return "application/problem+json" }
