package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// putCommands stores commands under a lease: they are published right after the write.
func (t *transaction) putCommands(now time.Time, commands []wire.Command) error {
	seen := make(map[string]bool, len(commands))
	for _, command := range commands {
		id := command.ID.String()
		if row, found := t.writing.tables.outbox[command.ID.Saga][id]; seen[id] || found && !row.Delivered && !t.confirmed[id] {
			return fmt.Errorf("add command %s to the outbox: %w", id, errStored)
		}
		seen[id] = true
		row := t.newRow(now, command)
		row.Command.CreatedAt = micro(command.CreatedAt)
		t.putOutbox(row)
	}
	return nil
}

// putRedriven adds commands that are sent again. An undelivered one that is already stored is on its way.
func (t *transaction) putRedriven(now time.Time, commands []wire.Command) {
	for _, command := range commands {
		if row, found := t.writing.tables.outbox[command.ID.Saga][command.ID.String()]; found && !row.Delivered {
			continue
		}
		row := t.newRow(now, command)
		if row.Held {
			row.Attempts = 1 // it was sent before
		}
		t.putOutbox(row)
	}
}

// withdraw deletes commands that must never be sent.
func (t *transaction) withdraw(commands []saga.CommandID) {
	for _, id := range commands {
		t.deleteOutbox(id)
	}
}

// heldBack reports whether a command is held back by the settings of its queue.
func (t *tables) heldBack(id saga.CommandID) bool {
	row, found := t.outbox[id.Saga][id.String()]
	return found && !row.Delivered && row.Held
}

// neverSent reports whether the command is held back and was never sent.
func (r *outboxRow) neverSent() bool { return r.Held && r.Attempts == 0 && r.RefusedAt.IsZero() }

// newRow returns a row under a lease, unless the settings of its queue hold it back.
func (t *transaction) newRow(now time.Time, command wire.Command) outboxRow {
	row := outboxRow{Command: cloneCommand(command), ClaimedUntil: now.Add(t.lease), Leased: true}
	if command.Held {
		row.Command.Held, row.Held, row.Leased = false, true, false
	}
	return row
}

// settleOutbox updates the outbox rows of the batch's sagas. A confirmed row is kept, hidden, while its command is
// outstanding.
func (t *transaction) settleOutbox(changes record.Changes) {
	after := make(map[string]*saga.Instance)
	for _, id := range t.batch.Confirmed {
		if row, found := t.writing.tables.sagas[id.Saga]; found {
			after[id.Saga] = &row.Instance
		} else {
			after[id.Saga] = nil
		}
	}
	for i := range changes.Updated {
		after[changes.Updated[i].ID] = &changes.Updated[i]
	}
	added := make(map[string]bool, len(changes.Commands))
	for _, command := range changes.Commands {
		added[command.ID.String()] = true
	}
	for sagaID, in := range after {
		out := commandsOut(in)
		for id, row := range t.writing.tables.outbox[sagaID] {
			switch {
			case added[id] || !row.Delivered && !t.confirmed[id]:
			case !out[id]:
				t.deleteOutbox(row.Command.ID)
			case !row.Delivered:
				row.Delivered = true
				t.putOutbox(row)
			}
		}
	}
}

// commandsOut returns the ids of the outstanding commands.
func commandsOut(in *saga.Instance) map[string]bool {
	if in == nil || in.Status.Terminal() {
		return nil
	}
	out := make(map[string]bool)
	for i := range in.Steps {
		if id, isOut := in.CommandOut(i); isOut {
			out[id.String()] = true
		}
	}
	return out
}

func (w *writing) putOutbox(row outboxRow) {
	w.put(bucketOutbox, row.Command.ID.String(), row, func() { w.tables.putOutbox(row) })
}

func (w *writing) deleteOutbox(id saga.CommandID) {
	w.delete(bucketOutbox, id.String(), func() { w.tables.deleteOutbox(id) })
}

func byAge(a, b wire.Command) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID.String(), b.ID.String()))
}

// ReleaseOutbox ends the lease of commands, so that they can be claimed at once.
func (s *Store) ReleaseOutbox(ctx context.Context, ids []saga.CommandID) error {
	err := s.write(ctx, func(w *writing) error {
		now := s.now()
		for _, id := range ids {
			if row, found := w.tables.outbox[id.Saga][id.String()]; found && !row.Delivered && !row.Held {
				row.Leased, row.ClaimedUntil = false, now
				w.putOutbox(row)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("release commands: %w", err)
	}
	return nil
}

// OutboxRows returns the unconfirmed commands of a saga, oldest first.
func (s *Store) OutboxRows(_ context.Context, sagaID string) ([]record.OutboxRow, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var rows []record.OutboxRow
	for id, row := range s.tables.outbox[sagaID] {
		if !row.Delivered {
			shown := record.OutboxRow{
				CommandID: id, Queue: row.Command.Queue, CreatedAt: row.Command.CreatedAt,
				RefusedAt: row.RefusedAt, Reason: row.Reason, Attempts: row.Attempts, HeldBack: row.Held,
			}
			if row.Held {
				shown.Before = s.before(row)
			}
			if !row.RefusedAt.IsZero() && !row.Leased && !row.Held {
				shown.RetryAt = row.ClaimedUntil
			}
			rows = append(rows, shown)
		}
	}
	slices.SortFunc(rows, func(a, b record.OutboxRow) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.CommandID, b.CommandID))
	})
	return rows, nil
}
