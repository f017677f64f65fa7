package sim

import (
	"context"
	"fmt"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// call is an action that an operator requested.
type call struct {
	action   saga.Action
	accepted bool
	refused  bool
}

// started records that a caller got a saga for the n-th start.
func (e *evidence) started(n int, id string) {
	e.traceSaga(id, "answered     start %d", n)
	switch before, known := e.requests[n]; {
	case e.known[id] == nil:
		e.violate(id, "an acknowledged start exists", fmt.Sprintf("start %d", n))
	case known && before != id:
		e.violate(id, "one idempotency key, one saga", fmt.Sprintf("start %d is also %s", n, before))
	}
	e.requests[n] = id
}

func (e *evidence) keyInUse(n int, by string) {
	if e.known[by] == nil {
		e.violate(by, "a key is in use by a saga that exists", fmt.Sprintf("start %d", n))
	}
}

// asks records the request for an action before its result is known.
func (e *evidence) asks(id string, action saga.Action) {
	e.traceSaga(id, "asked by     %s: %s %s", action.Actor, action.Name, action.Step)
	d := e.known[id]
	d.calls = append(d.calls, call{action: action})
}

func (e *evidence) refused(id string, action saga.Action) {
	e.traceSaga(id, "refused to   %s", action.Actor)
	e.called(id, action).refused = true
}

func (e *evidence) accepted(id string, action saga.Action, revision int64) {
	e.traceSaga(id, "answered     %s", action.Actor)
	e.called(id, action).accepted = true
	if d := e.known[id]; d.instance.Revision < revision {
		e.violate(id, "an answer is stored", fmt.Sprintf("%s: revision %d", action.Name, revision))
	}
}

func (e *evidence) called(id string, action saga.Action) *call {
	calls := e.known[id].calls
	for i := range calls {
		if calls[i].action.Actor == action.Actor {
			return &calls[i]
		}
	}
	panic("an answer without a call")
}

// settled reports whether every saga has ended or waits for an operator.
func (e *evidence) settled() bool {
	for _, d := range e.sagas {
		if s := d.instance.Status; !s.Terminal() && s != saga.Stuck && s != saga.Paused && !e.awaitsChild(d) {
			return false
		}
	}
	return true
}

// awaitsChild reports whether the saga waits for a child that has not ended: then the child tells why.
func (e *evidence) awaitsChild(d *sagaEvidence) bool {
	for i := range d.instance.Steps {
		s := &d.instance.Steps[i]
		if s.Waiting != saga.WaitForChild {
			continue
		}
		if child := e.known[s.Child()]; child != nil && !child.instance.Status.Terminal() {
			return true
		}
	}
	return false
}

// ended reports whether every saga has ended and none needs an operator.
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
		rows, err := e.sim.store.OutboxRows(context.Background(), d.id)
		if err != nil || len(rows) > 0 {
			return false
		}
	}
	return true
}
