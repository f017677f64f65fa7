package engine

import (
	"context"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/record"
)

// item is one thing to be decided and stored: a start, an event of a saga, or a message to be put aside.
type item struct {
	sagaID string
	start  *record.StartRequest
	plan   *saga.Definition   // of a start
	cause  saga.Cause         // of an event
	dead   *record.DeadLetter // the message that brought the event, put aside if it turns out to be meant for no saga
	keep   bool               // dead is put aside whatever the event leads to

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
