package wire

import "time"

// Message is what comes in from a broker: a reply, or a dead letter. It is third-party input, not yet looked at.
type Message struct {
	Queue         string // that it was consumed from
	MessageID     string
	CorrelationID string
	Type          string
	ReplyTo       string
	ContentType   string
	UserID        string
	Headers       map[string]any
	Body          []byte
	Redelivered   bool
	Timestamp     time.Time // when its sender sent it, as the sender says; zero: it does not say
	// Damage is what of the message could not be read, or was cut for its size, for operators. Empty: it is whole.
	Damage string
	// DiedIn is, of a message from the dead-letter queue, the kind of queue in which it died first: DiedInReplies,
	// DiedInStart, DiedInCommands, or empty where that is not known.
	DiedIn string
}

// Values of Message.DiedIn.
const (
	DiedInReplies  = "replies"
	DiedInStart    = "start"
	DiedInCommands = "commands"
)

// Receipt is what became of publishing one command.
type Receipt struct {
	Outcome Outcome
	Reason  string // for operators; empty when Confirmed
}

// Outcome is the kind of a Receipt.
type Outcome int

// The outcomes of publishing. After every one but Confirmed the command may still arrive, at any later time.
const (
	Unconfirmed  Outcome = iota // not sent, or the connection was lost: nothing may be inferred
	Confirmed                   // acknowledged and not returned: it is in its queue
	Returned                    // acknowledged and returned: there is no such queue
	Nacked                      // refused by its queue, which is full, for example
	NotConfirmed                // sent, but the queue did not confirm it in time
	Refused                     // refused for itself: the broker closed the channel over it
)

// QueueState is what a broker knows of one worker queue.
type QueueState struct {
	Exists    bool
	Depth     int // messages ready for a worker
	Consumers int
}
