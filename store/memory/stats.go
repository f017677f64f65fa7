package memory

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/definitions"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Stats counts what the scope covers.
func (s *Store) Stats(_ context.Context, scope record.Scope) (record.Stats, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	now := s.now()
	stats := record.Stats{
		Attention: make(map[saga.AttentionReason]int64), Minutes: record.LastMinutes(now), CountedAt: now,
	}
	for _, letter := range s.tables.deadLetters {
		if s.tables.covers(scope, letter.SagaID) {
			stats.DeadLetters++
		}
	}
	type group struct {
		definition string
		status     saga.Status
	}
	counts := make(map[group]int64)
	for _, in := range s.tables.sagas {
		if !scope.Covers(in.Definition) {
			continue
		}
		counts[group{in.Definition, in.Status}]++
		if in.Attention != nil {
			stats.Attention[in.Attention.Reason]++
		}
		if m := record.MinuteOf(stats.Minutes, in.CreatedAt); m != nil {
			m.Started++
		}
		stats.StartedLastMinute += within(time.Minute, in.CreatedAt, now)
		stats.StartedLastHour += within(time.Hour, in.CreatedAt, now)
		if !in.FinishedAt.IsZero() {
			if m := record.MinuteOf(stats.Minutes, in.FinishedAt); m != nil {
				m.Ended(in.Status, 1)
			}
			stats.FinishedLastMinute += within(time.Minute, in.FinishedAt, now)
			stats.FinishedLastHour += within(time.Hour, in.FinishedAt, now)
		}
	}
	for g, n := range counts {
		stats.Counts = append(stats.Counts, record.Count{Definition: g.definition, Status: g.status, Sagas: n})
	}
	slices.SortFunc(stats.Counts, func(a, b record.Count) int {
		return cmp.Or(strings.Compare(a.Definition, b.Definition), strings.Compare(string(a.Status), string(b.Status)))
	})
	s.eachPending(func(row outboxRow) {
		if !s.tables.covers(scope, row.Command.ID.Saga) {
			return
		}
		if row.Held {
			stats.OutboxHeldBack++
			return
		}
		stats.OutboxPending++
		if created := row.Command.CreatedAt; stats.OutboxOldest.IsZero() || created.Before(stats.OutboxOldest) {
			stats.OutboxOldest = created
		}
	})
	return stats, nil
}

// covers reports whether the scope covers the saga. A saga that is gone has no definition.
func (t *tables) covers(scope record.Scope, sagaID string) bool {
	row, found := t.sagas[sagaID]
	return scope == nil || found && scope.Covers(row.Definition)
}

// Unfinished counts the sagas that have not ended, by definition and status.
func (s *Store) Unfinished(ctx context.Context) ([]record.Count, error) {
	stats, err := s.Stats(ctx, nil)
	return slices.DeleteFunc(stats.Counts, func(c record.Count) bool { return c.Status.Terminal() }), err
}

// within returns 1 if the time is less than span before now.
func within(span time.Duration, at, now time.Time) int64 {
	if at.After(now.Add(-span)) {
		return 1
	}
	return 0
}

func (s *Store) eachPending(visit func(outboxRow)) {
	for _, rows := range s.tables.outbox {
		for _, row := range rows {
			if !row.Delivered {
				visit(row)
			}
		}
	}
}

// QueueLoads returns the outstanding commands of each worker queue, by name. Idle queues are left out; Queues lists
// all. Unreadable rows are not counted.
func (s *Store) QueueLoads(ctx context.Context) ([]record.QueueLoad, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	loads := make(map[string]*record.QueueLoad)
	load := func(queue string) *record.QueueLoad {
		if loads[queue] == nil {
			loads[queue] = &record.QueueLoad{Queue: queue}
		}
		return loads[queue]
	}
	s.eachPending(func(row outboxRow) {
		if row.Command.Queue == wire.BetweenSagas {
			return
		}
		if row.Held {
			load(row.Command.Queue).HeldBack++
		} else {
			load(row.Command.Queue).Unpublished++
		}
	})
	memo := definitions.NewMemo(func(_ context.Context, name string, version int) (*saga.Definition, error) {
		registered, err := findVersion(s.tables.definitions[name], name, version)
		return registered.Definition, err
	})
	for _, row := range s.tables.sagas {
		if row.Status.Terminal() || row.Unreadable != "" {
			continue
		}
		d, err := memo.Get(ctx, row.Definition, row.Version)
		if err != nil {
			continue
		}
		for i := range row.Steps {
			command, out := row.CommandOut(i)
			if !out || s.tables.heldBack(command) {
				continue
			}
			_, queue, timeout, known := d.CommandFor(command.Step, command.Direction)
			if !known {
				continue
			}
			l := load(queue)
			l.CommandsOut++
			if at := row.Steps[i].DeadlineAt; !at.IsZero() {
				if at = at.Add(-timeout); l.Oldest.IsZero() || at.Before(l.Oldest) {
					l.Oldest = at
				}
			}
		}
	}
	sorted := make([]record.QueueLoad, 0, len(loads))
	for _, l := range loads {
		sorted = append(sorted, *l)
	}
	slices.SortFunc(sorted, func(a, b record.QueueLoad) int { return strings.Compare(a.Queue, b.Queue) })
	return sorted, nil
}
