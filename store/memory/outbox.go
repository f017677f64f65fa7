package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// putCommands writes the commands under a lease, since they are published as soon as they are written.
func (t *transaction) putCommands(now time.Time, commands []wire.Command) error {
	seen := make(map[string]bool, len(commands))
	for _, command := range commands {
		id := command.ID.String()
		if row, found := t.writing.tables.outbox[command.ID.Saga][id]; seen[id] || found && !row.Delivered && !t.confirmed[id] {
			return fmt.Errorf("add command %s to the outbox: %w", id, errStored)
		}
		seen[id] = true
		row := outboxRow{Command: cloneCommand(command), ClaimedUntil: now.Add(t.lease), Leased: true}
		row.Command.CreatedAt = micro(command.CreatedAt)
		t.putOutbox(row)
	}
	return nil
}

// settleOutbox deals with the rows of the sagas that this batch is about. One that is confirmed is kept, unseen, as
// long as its command is out.
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

// commandsOut are the ids of the commands that somebody still waits for.
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

// ClaimOutbox takes over up to limit commands that nobody is publishing: their lease ran out, or the wait after a
// return is over. Those that have waited longest come first, so that one that cannot be published keeps none of the
// others back.
func (s *Store) ClaimOutbox(ctx context.Context, limit int) ([]wire.Command, error) {
	var claimed []wire.Command
	err := s.write(ctx, func(w *writing) error {
		now := s.now()
		var due []outboxRow
		for _, rows := range w.tables.outbox {
			for _, row := range rows {
				if !row.Delivered && !row.ClaimedUntil.After(now) {
					due = append(due, row)
				}
			}
		}
		slices.SortFunc(due, func(a, b outboxRow) int {
			return cmp.Or(a.ClaimedUntil.Compare(b.ClaimedUntil), byAge(a.Command, b.Command))
		})
		for _, row := range due[:min(limit, len(due))] {
			if row.Leased {
				row.Attempts++
			}
			row.Leased, row.ClaimedUntil = true, now.Add(s.lease)
			w.putOutbox(row)
			claimed = append(claimed, cloneCommand(row.Command))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim commands of the outbox: %w", err)
	}
	slices.SortFunc(claimed, byAge)
	return claimed, nil
}

func byAge(a, b wire.Command) int {
	return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.ID.String(), b.ID.String()))
}

// MarkReturned notes that there is no queue for the commands. Each is claimable again after its RetryAfter.
func (s *Store) MarkReturned(ctx context.Context, returned []record.Returned) error {
	err := s.write(ctx, func(w *writing) error {
		now := s.now()
		for _, r := range returned {
			if row, found := w.tables.outbox[r.Command.Saga][r.Command.String()]; found && !row.Delivered {
				row.ReturnedAt, row.Reason, row.Attempts = now, r.Reason, row.Attempts+1
				row.Leased, row.ClaimedUntil = false, now.Add(r.RetryAfter)
				w.putOutbox(row)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("mark commands as returned: %w", err)
	}
	return nil
}

// ReleaseOutbox gives the lease of commands up, so that they can be claimed at once.
func (s *Store) ReleaseOutbox(ctx context.Context, ids []saga.CommandID) error {
	err := s.write(ctx, func(w *writing) error {
		now := s.now()
		for _, id := range ids {
			if row, found := w.tables.outbox[id.Saga][id.String()]; found && !row.Delivered {
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

// OutboxRows returns the commands of a saga that have not been confirmed to be in their queues, oldest first.
func (s *Store) OutboxRows(_ context.Context, sagaID string) ([]record.OutboxRow, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var rows []record.OutboxRow
	for id, row := range s.tables.outbox[sagaID] {
		if !row.Delivered {
			rows = append(rows, record.OutboxRow{
				CommandID: id, Queue: row.Command.Queue, CreatedAt: row.Command.CreatedAt,
				ReturnedAt: row.ReturnedAt, Reason: row.Reason, Attempts: row.Attempts,
			})
		}
	}
	slices.SortFunc(rows, func(a, b record.OutboxRow) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), strings.Compare(a.CommandID, b.CommandID))
	})
	return rows, nil
}
