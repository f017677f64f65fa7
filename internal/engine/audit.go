package engine

import (
	"encoding/json"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// auditedSaga is what the audit log says of a saga.
type auditedSaga struct {
	Status     saga.Status     `json:"status,omitempty"`
	Revision   int64           `json:"revision,omitempty"`
	Definition string          `json:"definition,omitempty"`
	Version    int             `json:"version,omitempty"`
	Patch      json.RawMessage `json:"patch,omitempty"`
	Signal     string          `json:"signal,omitempty"`
	Error      *saga.StepError `json:"error,omitempty"`
}

// auditStart adds the start of a saga by a caller to the audit log.
func (b *batchState) auditStart(r *request, in *saga.Instance) error {
	if r.caller == nil || b.startsUnaudited {
		return nil
	}
	entry, err := record.Audited(*r.caller, "saga.start", "sagas/"+in.ID, nil,
		auditedSaga{Status: in.Status, Definition: in.Definition, Version: in.Version})
	if err != nil {
		return err
	}
	b.addAudit(entry, in.Definition)
	return nil
}

func (b *batchState) addAudit(entry record.AuditEntry, definition string) {
	entry.At, entry.Definition = b.now, definition
	b.audit = append(b.audit, entry)
}

// stateOf returns the saga as it is in this batch so far; of an unreadable one, its readable part.
func (b *batchState) stateOf(id string) (in saga.Instance, known bool) {
	if s := b.sagas[id]; s != nil && s.instance.ID != "" {
		return s.instance, true
	}
	if in, known = b.loaded.Instances[id]; known {
		return in, true
	}
	part, known := b.loaded.Unreadable[id]
	return part.Instance, known
}

// auditChange adds an accepted action by a caller, on a saga or a dead letter, to the audit log. before is the saga before it,
// sentTo where a dead letter went.
func (b *batchState) auditChange(r *request, before saga.Instance, sentTo string) error {
	after, known := b.stateOf(r.sagaID)
	if r.letter != nil {
		return b.auditLetter(r, after.Definition, sentTo)
	}
	if signal, is := r.cause.(saga.Signal); is {
		return b.auditSignal(r, signal, before, after)
	}
	action, is := r.cause.(saga.Action)
	if !is || !known || after.Revision == before.Revision {
		return nil // a repeated action changes nothing
	}
	was := auditedSaga{Status: before.Status, Revision: before.Revision}
	now := auditedSaga{Status: after.Status, Revision: after.Revision, Patch: action.Patch}
	entry, err := record.Audited(*r.caller, "saga."+string(action.Name), "sagas/"+r.sagaID, was, now)
	if err != nil {
		return err
	}
	if action.Reason != "" {
		entry.Reason = action.Reason
	}
	b.addAudit(entry, after.Definition)
	return nil
}

// auditSignal adds a signal that was taken in.
func (b *batchState) auditSignal(r *request, signal saga.Signal, before, after saga.Instance) error {
	if after.Revision == before.Revision {
		return nil // a repeated signal changes nothing
	}
	entry, err := record.Audited(*r.caller, "saga.signal", "sagas/"+r.sagaID,
		auditedSaga{Status: before.Status, Revision: before.Revision},
		auditedSaga{Status: after.Status, Revision: after.Revision, Signal: signal.Name, Error: signal.Error})
	if err != nil {
		return err
	}
	b.addAudit(entry, after.Definition)
	return nil
}

// auditLetter adds the redrive or the discard of a dead letter.
func (b *batchState) auditLetter(r *request, definition, sentTo string) error {
	letter := r.letter
	action := "dead_letter.discard"
	var after any
	if r.redrives {
		action, after = "dead_letter.redrive", map[string]string{"redriven_to": sentTo}
	}
	entry, err := record.Audited(*r.caller, action, "dead-letters/"+letter.ID, letter.Audited(), after)
	if err != nil {
		return err
	}
	if cause, is := r.cause.(saga.Action); is && cause.Reason != "" {
		entry.Reason = cause.Reason
	}
	b.addAudit(entry, definition)
	return nil
}
