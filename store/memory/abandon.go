package memory

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// abandon closes sagas on which the core cannot decide. A saga that has ended does not change.
func (t *transaction) abandon(now time.Time, abandoned []record.Abandonment) error {
	seen := make(map[string]bool, len(abandoned))
	for _, a := range abandoned {
		row, found := t.writing.tables.sagas[a.SagaID]
		if !found || row.Status.Terminal() || seen[a.SagaID] {
			continue
		}
		seen[a.SagaID] = true
		row.Instance = record.Abandoned(row.Instance, a.Action, now)
		t.put(bucketSagas, row.ID, row, func() { t.writing.tables.putSaga(row) })
		entry := saga.Entry{Seq: 1, At: now, Type: saga.EntryAbandoned, Actor: a.Actor}
		if history := t.writing.tables.history[a.SagaID]; len(history) > 0 {
			entry.Seq = history[len(history)-1].Seq + 1
		}
		if a.Reason != "" {
			entry.Detail = map[string]any{"reason": a.Reason}
		}
		if err := t.putEntries([]record.Entry{{SagaID: a.SagaID, Entry: entry}}); err != nil {
			return err
		}
		if err := t.putAbandoned(&row.Instance, entry, a.Sinks); err != nil {
			return err
		}
		for _, unsent := range t.writing.tables.outbox[a.SagaID] {
			t.deleteOutbox(unsent.Command.ID)
		}
		key := businessKey{row.Definition, row.Key}
		if row.Key != "" && t.writing.tables.keysInUse[key] == row.ID {
			t.delete(bucketKeysInUse, key.text(), func() { delete(t.writing.tables.keysInUse, key) })
		}
	}
	return nil
}
