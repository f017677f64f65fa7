package wire

import "time"

// Message is a message from a broker: a command, a reply or a dead letter. It is unvalidated third-party input.
type Message struct {
	Queue         string // it was consumed from
	MessageID     string
	CorrelationID string
	Type          string
	ReplyTo       string
	ContentType   string
	UserID        string
	Headers       map[string]any
	Body          []byte
	Redelivered   bool
	Timestamp     time.Time // the sender's claim; zero: none
	// Damage describes, for operators, which parts of the message could not be read or were cut. Empty: none.
	Damage string
	// DiedIn is the kind of queue in which a dead letter first died: DiedInReplies, DiedInStart or DiedInCommands.
	// Empty: unknown, or not a dead letter.
	DiedIn string
}

// Values of Message.DiedIn.
const (
	DiedInReplies  = "replies"
	DiedInStart    = "start"
	DiedInCommands = "commands"
)

// Receipt is the result of publishing one command.
type Receipt struct {
	Outcome Outcome
	Reason  string // for operators; empty if Confirmed
}

// Outcome is the kind of a Receipt.
type Outcome int

// Outcomes of publishing. After all but Confirmed the command may still arrive at any later time.
const (
	Unconfirmed  Outcome = iota // not sent, or the connection was lost
	Confirmed                   // acknowledged and not returned: it is in its queue
	Returned                    // acknowledged and returned: its queue does not exist
	Nacked                      // refused by its queue, for example because it is full
	NotConfirmed                // sent, but not confirmed in time
	Refused                     // the broker closed the channel because of this message
	Postponed                   // of a message between sagas: it waits for its turn, and comes again when its lease ends
)

// QueueState is the broker's state of one worker queue.
type QueueState struct {
	Exists bool
	// Locked means that the queue is exclusive to another connection. The broker does not report Depth and Consumers then.
	Locked    bool
	Depth     int // messages ready for a worker
	Consumers int
}
