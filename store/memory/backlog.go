package memory

import (
	"context"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Backlog counts outbox rows and dead letters.
func (s *Store) Backlog(context.Context) (record.Backlog, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	backlog := record.Backlog{DeadLetters: make(map[string]int64)}
	s.eachPending(func(row outboxRow) {
		if row.Held {
			backlog.HeldBack++
			return
		}
		backlog.OutboxPending++
		if row.Command.Queue == wire.BetweenSagas && !row.RefusedAt.IsZero() {
			return // it waits for a repair
		}
		if created := row.Command.CreatedAt; backlog.OutboxOldest.IsZero() || created.Before(backlog.OutboxOldest) {
			backlog.OutboxOldest = created
		}
	})
	for _, letter := range s.tables.deadLetters {
		backlog.DeadLetters[record.SourceOf(letter.Source)]++
	}
	return backlog, nil
}
