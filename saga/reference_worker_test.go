package saga_test

import (
	"encoding/json"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// referenceWorker is a service as the contract of workers says, and not as anything is built: an effect happens once
// however often its command comes, and the same command again gets the same answer. Behind the barrier a compensation
// also keeps from ever happening what it found not done, and an attempt that was overtaken does nothing; without it the
// service only remembers what it answered. It keeps the independent ledger of what took effect.
type referenceWorker struct {
	barrier  bool
	effects  map[string]effect     // by step
	kept     map[string]keptAnswer // by idempotency key
	answered map[string]saga.Reply // by command id
}

// effect is what became of a step in the service.
type effect int

const (
	noEffect  effect = iota
	tookPlace        // it is there
	undoneNow        // it was, and was undone
	forbidden        // it must not happen any more
)

type keptAnswer struct {
	attempt int
	reply   saga.Reply
}

func newReferenceWorker(barrier bool) *referenceWorker {
	return &referenceWorker{
		barrier: barrier, effects: make(map[string]effect), kept: make(map[string]keptAnswer),
		answered: make(map[string]saga.Reply),
	}
}

// handle does a command, or answers from what is kept. The wish is what the service itself makes of it, where it is asked.
func (w *referenceWorker) handle(id saga.CommandID, wish saga.Reply) saga.Reply {
	reply, known := w.known(id)
	if !known {
		reply = w.do(id, wish)
		w.kept[id.IdempotencyKey()] = keptAnswer{attempt: id.Attempt, reply: reply}
		w.answered[id.String()] = reply
	}
	reply.Command = id
	return reply
}

// known is the answer to a command that the service need not be asked about.
func (w *referenceWorker) known(id saga.CommandID) (saga.Reply, bool) {
	state := w.effects[id.Step]
	if id.Direction == saga.Execute && (state == forbidden || state == undoneNow && w.barrier) {
		return failed("compensated_already", false), true
	}
	if kept, found := w.kept[id.IdempotencyKey()]; found && (kept.reply.Succeeded || w.barrier && id.Attempt <= kept.attempt) {
		return kept.reply, true
	}
	reply, found := w.answered[id.String()]
	return reply, found
}

func (w *referenceWorker) do(id saga.CommandID, wish saga.Reply) saga.Reply {
	state := w.effects[id.Step]
	switch {
	case id.Direction == saga.Execute:
		if wish.Succeeded {
			w.effects[id.Step] = tookPlace
		}
	case state != tookPlace: // nothing to undo: the service is not asked
		if state == noEffect && w.barrier {
			w.effects[id.Step] = forbidden
		}
		return succeeded()
	case wish.Succeeded:
		w.effects[id.Step] = undoneNow
	}
	return wish
}

// byHand is a person who does in the service what no command did.
func (w *referenceWorker) byHand(step string, state effect) { w.effects[step] = state }

// done is the answer of a service that did what it was asked for.
func done(id saga.CommandID) saga.Reply {
	output, _ := json.Marshal(map[string]string{id.Step: id.String()}) // text never fails to marshal
	return saga.Reply{Succeeded: true, Output: output}
}
