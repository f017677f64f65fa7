package wire

import (
	"time"
)

// Header names of a command.
const (
	HeaderSagaID         = "saga-id"
	HeaderDefinition     = "saga-definition"
	HeaderVersion        = "saga-version"
	HeaderStep           = "saga-step"
	HeaderAction         = "saga-action"
	HeaderAttempt        = "saga-attempt"
	HeaderIdempotencyKey = "saga-idempotency-key"
	HeaderDeadline       = "saga-deadline"
	HeaderTraceParent    = "traceparent"
)

// HeaderByMessage is set on a start from such a row that came by message before.
const HeaderByMessage = "saga-start-by-message"

// HeaderStartRequest is the number of the row from which a start by SQL comes.
const HeaderStartRequest = "saga-start-request"

// ContentType is the content type of every message.
const ContentType = "application/json"

// Headers returns the AMQP headers of the command when published at a time. Values are strings and int64 only.
func (c *Command) Headers(publishedAt time.Time) map[string]any {
	headers := map[string]any{
		HeaderSagaID:         c.ID.Saga,
		HeaderDefinition:     c.Definition,
		HeaderVersion:        int64(c.Version),
		HeaderStep:           c.ID.Step,
		HeaderAction:         string(c.ID.Direction),
		HeaderAttempt:        int64(c.ID.Attempt),
		HeaderIdempotencyKey: c.ID.IdempotencyKey(),
		HeaderDeadline:       publishedAt.Add(c.Timeout).UTC().Format(time.RFC3339Nano),
	}
	if c.TraceParent != "" {
		headers[HeaderTraceParent] = c.TraceParent
	}
	return headers
}
