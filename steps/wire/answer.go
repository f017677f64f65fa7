package wire

// Answer is a worker's answer to one command.
type Answer struct {
	Settlement Settlement
	Reply      []byte // the encoded reply, if Replied
}

// Settlement is how a transport settles a delivered command.
type Settlement int

// The settlements. The zero value loses nothing.
const (
	Requeued Settlement = iota // deliver it again
	Replied                    // send the reply and acknowledge once the broker has confirmed it
	Dropped                    // acknowledge without a reply
	Rejected                   // dead-letter it
)
