package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// ClaimOutbox takes over commands that are not being published: their lease has expired, or the wait after a refusal is
// over. It claims from all queues in turn, so that no queue holds back the others; within a queue, the longest-waiting
// commands come first. It returns them by priority, then by age. Orphans, whose saga is gone, become dead letters.
func (s *Store) ClaimOutbox(ctx context.Context, claim record.OutboxClaim) ([]wire.Command, error) {
	var claimed []wire.Command
	err := s.write(ctx, func(w *writing) error {
		now, bytes := s.now(), 0
		for _, row := range w.due(now, claim) {
			if _, found := w.tables.sagas[row.Command.ID.Saga]; !found {
				w.orphaned(row.Command, now)
				continue
			}
			bytes += len(row.Command.Body)
			if len(claimed) > 0 && (len(claimed) == claim.Limit || claim.Bytes > 0 && bytes > claim.Bytes) {
				break
			}
			if row.Leased {
				row.Attempts++
			}
			row.Leased, row.ClaimedUntil = true, now.Add(s.lease)
			w.putOutbox(row)
			command := cloneCommand(row.Command)
			command.Suspect = !row.RefusedAt.IsZero()
			claimed = append(claimed, command)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim commands of the outbox: %w", err)
	}
	slices.SortFunc(claimed, byUrgency)
	return claimed, nil
}

// due returns the claimable rows: the first of each queue, then the second ones, and so on.
func (w *writing) due(now time.Time, claim record.OutboxClaim) []outboxRow {
	queues := make(map[string][]outboxRow)
	for _, rows := range w.tables.outbox {
		for _, row := range rows {
			queue := row.Command.Queue
			if !row.Delivered && !row.Held && !row.ClaimedUntil.After(now) && !slices.Contains(claim.Except, queue) &&
				(claim.Only == "" || claim.Only == queue) {
				queues[queue] = append(queues[queue], row)
			}
		}
	}
	type placed struct {
		outboxRow
		position int
	}
	longestFirst := func(a, b outboxRow) int {
		return cmp.Or(a.ClaimedUntil.Compare(b.ClaimedUntil), byAge(a.Command, b.Command))
	}
	var all []placed
	for _, rows := range queues {
		slices.SortFunc(rows, longestFirst)
		for i, row := range rows {
			all = append(all, placed{row, i})
		}
	}
	slices.SortFunc(all, func(a, b placed) int {
		return cmp.Or(cmp.Compare(a.position, b.position), longestFirst(a.outboxRow, b.outboxRow))
	})
	due := make([]outboxRow, len(all))
	for i := range all {
		due[i] = all[i].outboxRow
	}
	return due
}

// orphaned moves a command whose saga is gone to the dead letters.
func (w *writing) orphaned(c wire.Command, now time.Time) {
	w.deleteOutbox(c.ID)
	letter := record.DeadLetter{
		ID: record.OrphanLetter + c.ID.String(), Source: record.SourceCommand, Queue: c.Queue, Reason: record.ReasonOrphan,
		Message: record.OrphanMessage, SagaID: c.ID.Saga, CommandID: c.ID.String(), Body: c.Body, Size: len(c.Body),
		ContentType: "application/json", ReceivedAt: now,
	}
	w.put(bucketDeadLetters, letter.ID, letter, func() { w.tables.deadLetters[letter.ID] = letter })
}

// MarkRefused records that the broker refuses these commands. Each becomes claimable after its RetryAfter, as Suspect.
func (s *Store) MarkRefused(ctx context.Context, refused []record.RefusedCommand) error {
	err := s.write(ctx, func(w *writing) error {
		now := s.now()
		for _, r := range refused {
			if row, found := w.tables.outbox[r.Command.Saga][r.Command.String()]; found && !row.Delivered && !row.Held {
				row.RefusedAt, row.Reason, row.Attempts = now, r.Reason, row.Attempts+1
				row.Leased, row.Placed, row.ClaimedUntil = false, false, now.Add(r.RetryAfter)
				w.putOutbox(row)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("mark commands as refused: %w", err)
	}
	return nil
}
