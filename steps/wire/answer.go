package wire

// Answer is what a worker makes of one command.
type Answer struct {
	Settlement Settlement
	Reply      []byte // the encoded reply, when Replied
}

// Settlement is how the broker is to deal with a command that was delivered.
type Settlement int

// The settlements. The zero value loses nothing.
const (
	Requeued Settlement = iota // not dealt with: deliver it again
	Replied                    // send the reply; the command is done once the broker has confirmed it
	Dropped                    // done without a reply
	Rejected                   // put it aside as a dead letter
)
