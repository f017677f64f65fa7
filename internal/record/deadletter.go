package record

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// DeadLetter is a message that could not be processed, with its raw bytes.
type DeadLetter struct {
	ID          string          // derived from the message, so that a redelivery stores it once; otherwise a ULID
	Source      string          // SourceReply, SourceCommand or SourceStart
	Queue       string          // destination or origin
	Reason      string          // a stable code: malformed_reply, unknown_saga, unknown_command, rejected, expired, …
	Message     string          // for operators
	SagaID      string          // if known
	CommandID   string          // if known
	Headers     json.RawMessage // not in lists
	Body        []byte          // not in lists
	Size        int             // of the body in bytes; set by the store
	ReceivedAt  time.Time       // by the clock of the store; set by the store
	ContentType string
}

// Audited is what the audit log says of a dead letter.
func (d *DeadLetter) Audited() any {
	if d.Source == "" {
		return nil // only its id is known
	}
	return map[string]string{"source": d.Source, "queue": d.Queue, "reason": d.Reason}
}

// Beginnings of ids that are derived from a message.
const (
	StartLetter  = "start-request-"
	OrphanLetter = "orphan/"
)

// Sources of dead letters: the kind of message.
const (
	SourceReply   = "reply"
	SourceCommand = "command"
	SourceStart   = "start"
)

// SourceOf returns the source of a stored dead letter. Versions before 0.1 stored the names of queues.
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

// An orphan is a command in the outbox without a saga.
const (
	ReasonOrphan  = "orphan"
	OrphanMessage = "a command in the outbox whose saga is gone"
)

// Reasons of replies that change nothing, although their step may await them.
const (
	ReasonUnreadableSaga = "unreadable_saga"   // no decision is possible on the saga; its command is not out any more
	ReasonMalformedReply = "malformed_reply"   // it cannot be read
	ReasonUserNotAllowed = "user_not_allowed"  // its user may not reply to commands of the queue
	ReasonRejected       = "rejected_by_store" // its content cannot be stored; of starts, too
)

// AnswersCommand reports whether the letter is what became of its command: the command itself, or a reply that changed nothing.
func (d *DeadLetter) AnswersCommand() bool {
	switch d.Reason {
	case ReasonUnreadableSaga, ReasonMalformedReply, ReasonUserNotAllowed, ReasonRejected:
		return true
	default:
		return d.Source == SourceCommand
	}
}

// DeadLetterPosition returns the position of a dead letter in lists, for Page.After. It stays valid after the dead
// letter is deleted.
func DeadLetterPosition(receivedAt time.Time, id string) string {
	return strconv.FormatInt(receivedAt.UnixMicro(), 10) + "_" + id
}

// ParseDeadLetterPosition parses the result of DeadLetterPosition. Error: ErrPageNotFound.
func ParseDeadLetterPosition(after string) (receivedAt time.Time, id string, err error) {
	micros, id, found := strings.Cut(after, "_")
	at, err := strconv.ParseInt(micros, 10, 64)
	receivedAt = time.UnixMicro(at).UTC()
	if err != nil || !found || receivedAt.Year() < 1 || receivedAt.Year() > 9999 {
		return time.Time{}, "", ErrPageNotFound
	}
	return receivedAt, id, nil
}
