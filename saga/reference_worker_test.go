package saga_test

import (
	"encoding/json"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// referenceWorker is a service behind the barrier, as its promises say and not as it is built: an effect happens once
// however often its command comes, a compensation undoes it or keeps it from ever happening, and the same command again
// gets the same answer. It keeps the independent ledger of what took effect.
type referenceWorker struct {
	effects map[string]effect     // by step
	kept    map[string]keptAnswer // by idempotency key
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

func newReferenceWorker() *referenceWorker {
	return &referenceWorker{effects: make(map[string]effect), kept: make(map[string]keptAnswer)}
}

// handle does a command, or answers from what is kept. The wish is what the service itself makes of it, where it is asked.
func (w *referenceWorker) handle(id saga.CommandID, wish saga.Reply) saga.Reply {
	key := id.IdempotencyKey()
	state := w.effects[id.Step]
	if id.Direction == saga.Execute && (state == undoneNow || state == forbidden) {
		return answerTo(id, failed("compensated_already", false))
	}
	if kept, found := w.kept[key]; found && (kept.reply.Succeeded || id.Attempt <= kept.attempt) {
		return answerTo(id, kept.reply)
	}
	reply := wish
	switch {
	case id.Direction == saga.Execute:
		if wish.Succeeded {
			w.effects[id.Step] = tookPlace
		}
	case state != tookPlace: // nothing to undo: the service is not asked
		reply = saga.Reply{Succeeded: true}
		if state == noEffect {
			w.effects[id.Step] = forbidden
		}
	case wish.Succeeded:
		w.effects[id.Step] = undoneNow
		reply.Output = nil
	}
	w.kept[key] = keptAnswer{attempt: id.Attempt, reply: reply}
	return answerTo(id, reply)
}

func answerTo(id saga.CommandID, reply saga.Reply) saga.Reply {
	reply.Command = id
	return reply
}

// byHand is a person who does in the service what no command did.
func (w *referenceWorker) byHand(step string, state effect) { w.effects[step] = state }

// done is the answer of a service that did what it was asked for.
func done(id saga.CommandID) saga.Reply {
	output, _ := json.Marshal(map[string]string{id.Step: id.String()}) // text never fails to marshal
	return saga.Reply{Succeeded: true, Output: output}
}
