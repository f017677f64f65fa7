package memory

import (
	"context"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Backlog counts outbox rows and dead letters, and finds the oldest events.
func (s *Store) Backlog(context.Context) (record.Backlog, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	backlog := record.Backlog{DeadLetters: make(map[string]int64), EventsOldest: make(map[record.Sink]time.Time)}
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
	for sink, rows := range s.tables.events {
		for _, event := range rows {
			if oldest, known := backlog.EventsOldest[sink]; !known || event.At.Before(oldest) {
				backlog.EventsOldest[sink] = event.At
			}
		}
	}
	for _, letter := range s.tables.deadLetters {
		backlog.DeadLetters[record.SourceOf(letter.Source)]++
	}
	return backlog, nil
}
