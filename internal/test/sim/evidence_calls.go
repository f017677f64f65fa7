package sim

import (
	"context"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// call is what a person has asked for.
type call struct {
	action   saga.Action
	accepted bool
	refused  bool
}

// started takes down that a caller was given a saga for the n-th start.
func (e *evidence) started(n int, id string) {
	e.tell(id, "answered     start %d", n)
	switch before, known := e.requests[n]; {
	case e.known[id] == nil:
		e.accuse(id, "an acknowledged start exists", fmt.Sprintf("start %d", n))
	case known && before != id:
		e.accuse(id, "one idempotency key, one saga", fmt.Sprintf("start %d is also %s", n, before))
	}
	e.requests[n] = id
}

func (e *evidence) keyInUse(n int, by string) {
	if e.known[by] == nil {
		e.accuse(by, "a key is in use by a saga that exists", fmt.Sprintf("start %d", n))
	}
}

// asks takes down that a person asks for something, before it is known what comes of it.
func (e *evidence) asks(id string, action saga.Action) {
	e.tell(id, "asked by     %s: %s %s", action.Actor, action.Name, action.Step)
	d := e.known[id]
	d.calls = append(d.calls, call{action: action})
}

func (e *evidence) refused(id string, action saga.Action) {
	e.tell(id, "refused to   %s", action.Actor)
	e.called(id, action).refused = true
}

func (e *evidence) accepted(id string, action saga.Action, revision int64) {
	e.tell(id, "answered     %s", action.Actor)
	e.called(id, action).accepted = true
	if d := e.known[id]; d.instance.Revision < revision {
		e.accuse(id, "what was answered is stored", fmt.Sprintf("%s: revision %d", action.Name, revision))
	}
}

func (e *evidence) called(id string, action saga.Action) *call {
	calls := e.known[id].calls
	for i := range calls {
		if calls[i].action.Actor == action.Actor {
			return &calls[i]
		}
	}
	panic("an answer to nobody")
}

// settled says whether every saga has ended or waits for a person.
func (e *evidence) settled() bool {
	for _, d := range e.sagas {
		if s := d.instance.Status; !s.Terminal() && s != saga.Stuck && s != saga.Paused {
			return false
		}
	}
	return true
}

// ended says whether every saga has ended and none needs a person.
func (e *evidence) ended() bool {
	for _, d := range e.sagas {
		if !d.instance.Status.Terminal() || d.instance.Attention != nil {
			return false
		}
	}
	return true
}

func (e *evidence) outboxEmpty() bool {
	for _, d := range e.sagas {
		rows, err := e.world.store.OutboxRows(context.Background(), d.id)
		if err != nil || len(rows) > 0 {
			return false
		}
	}
	return true
}
