package wire

import (
	"time"
)

// Names of the headers of a command.
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

// ContentType is that of every message.
const ContentType = "application/json"

// Headers are the command's AMQP headers when it is published at that time: strings and int64 only.
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
