package engine

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// request is one unit of work for a lane: it is decided and stored in one transaction.
type request struct {
	kind    requestKind
	sagaID  string
	start   *record.StartRequest // of startSaga
	def     *saga.Definition     // of startSaga
	refusal error                // of startSaga: why its data or its children do not allow it, by def; nil: they do
	// unchecked, of startSaga, means that its lane checks its data, because that is costly.
	unchecked bool
	cause     saga.Cause // of applyEvent
	lost      *death     // of applyEvent, if the broker dead-lettered a command

	// dead is the message that brought the request, as a dead letter; nil: no message. storeDeadLetter stores it, and
	// applyEvent does if the event cannot be applied.
	dead     *record.DeadLetter
	user     string // the broker's user who sent it; empty: unknown
	keepDead bool   // store dead whatever the event leads to, unless a full queue has refused the command

	outcome record.BulkOutcome // of settleTarget
	why     string

	bulk   *record.BulkRef    // the target of a bulk action that the request decides; nil: none
	letter *record.DeadLetter // the dead letter that is redriven or discarded; deleted unless the event is refused
	// redrives makes the request fail if letter is gone: an earlier redrive has sent it already.
	redrives bool

	// mayHaveAbandoned means that an earlier transaction, whose outcome is unknown, abandoned the saga.
	mayHaveAbandoned bool

	caller *record.Caller // whose change is audited; nil: the system's own

	in      *lane // where it waits
	wants   *lane // where it belongs, because its definition is costly; nil: in the lane of its saga
	anyLane bool  // it waits in no lane

	bytes int // size, set when the request is added to its lane

	measured time.Time // of a wake: the time reached by the clock of this process; zero: unknown

	turnaround time.Duration // of a reply: since the last change of its saga, set when it is decided

	patience context.Context // the caller's; nil: no limit
	done     func(answer)    // called exactly once, after the commit or when the request is given up
}

// requestKind is what a request asks for.
type requestKind int

const (
	applyEvent requestKind = iota
	startSaga
	storeDeadLetter
	discardLetter // letter, for bulk
	settleTarget  // store the outcome of bulk's target
)

// answer is the result of a request.
type answer struct {
	instance  saga.Instance
	existed   bool
	refused   *saga.Refusal
	busy      bool   // not decided: another replica is changing the saga
	elsewhere bool   // not decided: this replica lacks the key of the saga's data
	inOutbox  bool   // not decided: the command that the broker dead-lettered is still in the outbox
	sentTo    string // of a redrive: where the message went
	err       error
}

// size estimates the bytes of the request and of the commands that it is sure to produce.
func (r *request) size() int {
	bytes := 0
	if r.dead != nil {
		bytes += len(r.dead.Body) + len(r.dead.Headers)
	}
	if r.kind == startSaga {
		bytes += len(r.start.Data) * (1 + roots(r.def))
	}
	switch cause := r.cause.(type) {
	case saga.Reply:
		bytes += len(cause.Output)
	case saga.Signal:
		bytes += len(cause.Output)
	case saga.Action:
		bytes += len(cause.Output) + len(cause.Patch)
	}
	return bytes
}

// roots counts the steps that begin with the saga: each gets a command with the data.
func roots(def *saga.Definition) (count int) {
	if def == nil {
		return 0
	}
	for i := range def.Steps {
		if len(def.Steps[i].After) == 0 {
			count++
		}
	}
	return count
}
