package record

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// DeadLetter is a message that could not be processed, with its raw bytes.
type DeadLetter struct {
	ID          string          // derived from the message, so that a redelivery stores it once; a ULID otherwise
	Source      string          // SourceReply, SourceCommand or SourceStart
	Queue       string          // where it was to go, or came from
	Reason      string          // a stable code: malformed_reply, unknown_saga, unknown_command, rejected, expired, …
	Message     string          // for operators
	SagaID      string          // where known
	CommandID   string          // where known
	Headers     json.RawMessage // not in lists
	Body        []byte          // not in lists
	Size        int             // of the body in bytes; set by the store
	ReceivedAt  time.Time       // by the store's clock; set by the store
	ContentType string
}

// Where a dead letter was going when it died.
const (
	SourceReply   = "reply"
	SourceCommand = "command"
	SourceStart   = "start"
)

// SourceOf is the source of a stored dead letter: versions before 0.1 wrote the names of queues.
func SourceOf(stored string) string {
	switch stored {
	case "replies":
		return SourceReply
	case "commands":
		return SourceCommand
	default:
		return stored
	}
}

// An orphan is a command in the outbox whose saga is gone.
const (
	ReasonOrphan  = "orphan"
	OrphanMessage = "a command in the outbox whose saga is gone"
)

// DeadLetterPosition is where a dead letter stands in lists, as a Page's After. It stays valid when the dead letter is
// gone.
func DeadLetterPosition(receivedAt time.Time, id string) string {
	return strconv.FormatInt(receivedAt.UnixMicro(), 10) + "_" + id
}

// ParseDeadLetterPosition reads what DeadLetterPosition wrote. Error: ErrPageNotFound.
func ParseDeadLetterPosition(after string) (receivedAt time.Time, id string, err error) {
	micros, id, found := strings.Cut(after, "_")
	at, err := strconv.ParseInt(micros, 10, 64)
	receivedAt = time.UnixMicro(at).UTC()
	if err != nil || !found || receivedAt.Year() < 1 || receivedAt.Year() > 9999 {
		return time.Time{}, "", ErrPageNotFound
	}
	return receivedAt, id, nil
}
