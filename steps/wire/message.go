package wire

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
}

// Receipt is what became of publishing one command.
type Receipt struct {
	Outcome Outcome
	Reason  string // for people; empty when Confirmed
}

// Outcome is the kind of a Receipt.
type Outcome int

// The outcomes of publishing. Nothing may be inferred from Unconfirmed: the command may arrive, at any later time.
const (
	Unconfirmed Outcome = iota // not acknowledged, or not sent at all
	Confirmed                  // acknowledged and not returned: it is in its queue
	Returned                   // acknowledged and returned: there is no such queue
)

// QueueState is what a broker knows of one worker queue.
type QueueState struct {
	Exists    bool
	Depth     int // messages ready for a worker
	Consumers int
}
