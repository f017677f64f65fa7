package record

import (
	"encoding/json"
	"time"
)

// DeadLetter is a message that could not be processed, with its raw bytes.
type DeadLetter struct {
	ID          string // derived from the message, so that a redelivery stores it once; a ULID otherwise
	Source      string // "replies", "commands" or "start"
	Queue       string // where it was to go, or came from
	Reason      string // a stable code: malformed_reply, unknown_saga, unknown_command, rejected, expired, …
	Message     string // for people
	SagaID      string // where known
	CommandID   string // where known
	Headers     json.RawMessage
	Body        []byte
	ReceivedAt  time.Time // by the store's clock; set by the store
	ContentType string
}
