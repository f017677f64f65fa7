package wire

import "strings"

// Obstacle is the error of a broker that can be reached but does not do its work: waiting for it does not help.
type Obstacle struct {
	What  string // such as "the broker refuses the user"; without hosts and users
	Words string // the broker's own, which may name the user, never a password; empty: it said nothing
	Help  string // what an operator can do, in sentences
	Cause error
}

// Error returns the text of the cause.
func (o *Obstacle) Error() string { return o.Cause.Error() }

// Unwrap returns the cause.
func (o *Obstacle) Unwrap() error { return o.Cause }

// Public returns a text that anyone may read: what the broker refuses, but not to whom.
func (o *Obstacle) Public() string {
	if refused, _, found := strings.Cut(o.Words, " in vhost "); found { // the names of the vhost and the user follow
		return o.What + ": " + refused
	}
	return o.What
}
