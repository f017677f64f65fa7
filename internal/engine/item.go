package engine

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// item is one thing to be decided and stored: a start, an event of a saga, or a message to be put aside.
type item struct {
	sagaID string
	start  *record.StartRequest
	plan   *saga.Definition   // of a start
	cause  saga.Cause         // of an event
	dead   *record.DeadLetter // the message that brought the event, put aside if it turns out to be meant for no saga
	keep   bool               // dead is put aside whatever the event leads to
	lost   *death             // of a command that the broker gave up on
	bytes  int                // what it holds, set when it is added to its lane

	measured time.Time // of a wake: the time that has come by this process's clock; zero: not measured

	patience context.Context // the caller's; nil: it waits as long as it takes
	done     func(answer)    // called exactly once, after the commit or when the item is given up
}

// answer is what became of an item.
type answer struct {
	instance saga.Instance
	existed  bool
	refused  *saga.Refusal
	busy     bool // nothing was decided: another replica is changing the saga
	err      error
}

// size is about how many bytes the item holds, with what it is sure to make.
func (it *item) size() int {
	bytes := 0
	if it.dead != nil {
		bytes += len(it.dead.Body) + len(it.dead.Headers)
	}
	if it.start != nil {
		bytes += len(it.start.Data) * (1 + roots(it.plan))
	}
	switch cause := it.cause.(type) {
	case saga.Reply:
		bytes += len(cause.Output)
	case saga.Action:
		bytes += len(cause.Output) + len(cause.Patch)
	}
	return bytes
}

// roots is how many steps a saga begins with: each gets a command with the data.
func roots(plan *saga.Definition) (count int) {
	if plan == nil {
		return 0
	}
	for i := range plan.Steps {
		if len(plan.Steps[i].After) == 0 {
			count++
		}
	}
	return count
}
