package engine

import (
	"fmt"
	"slices"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// AnyQueue stands for every queue without a list of its own.
const AnyQueue = "*"

// Repliers are, by worker queue, the users of the broker who may reply to its commands. A queue without a list takes replies
// from every user.
type Repliers map[string][]string

// refusal returns why a reply by a user is not taken; empty: it is.
func (p Repliers) refusal(queue, user string) string {
	allowed, listed := p[queue]
	if !listed {
		allowed, listed = p[AnyQueue]
	}
	switch {
	case !listed || slices.Contains(allowed, user):
		return ""
	case user == "":
		return fmt.Sprintf("the reply has no user_id, which replies to commands of queue %s need", queue)
	default:
		return fmt.Sprintf("user %q may not reply to commands of queue %s", user, queue)
	}
}

// forbidden returns why the reply of a request is not taken; empty: it is, or the request is none.
func (b *batchState) forbidden(r *request, s *sagaState) string {
	reply, is := r.cause.(saga.Reply)
	if !is || len(b.repliers) == 0 || r.letter != nil { // an admin vouches for a redriven reply
		return ""
	}
	_, queue, _, known := s.def.CommandFor(reply.Command.Step, reply.Command.Direction)
	if !known {
		return "" // the core refuses it
	}
	return b.repliers.refusal(queue, r.user)
}
