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

// SetQueue changes the settings of a worker queue and returns them. Errors: record.ErrQueueNotFound, and those of change.
func (s *Store) SetQueue(ctx context.Context, queue string, change func(*record.QueueSettings) error) (after record.QueueSettings, err error) {
	err = s.write(ctx, func(w *writing) error {
		row, found := w.tables.settings[queue]
		if !found && !slices.Contains(w.tables.queues(), queue) {
			return record.ErrQueueNotFound
		}
		before := row.QueueSettings
		if err := change(&row.QueueSettings); err != nil {
			return err
		}
		now := s.now()
		switch {
		case row.Free():
			row = settingsRow{}
			w.delete(bucketSettings, queue, func() { delete(w.tables.settings, queue) })
		case row.QueueSettings != before:
			row.Since = now
			if row.Tokens = min(row.Tokens, row.Burst()); before.Rate == 0 {
				row.Tokens, row.TokensAt = 1, now
			}
			w.put(bucketSettings, queue, row, func() { w.tables.settings[queue] = row })
		}
		after = row.QueueSettings
		if after.Equal(before) {
			return nil
		}
		return w.audited(ctx, now, "queue.set", "queues/"+queue, "", before.Audited(), after.Audited())
	})
	if err != nil {
		return record.QueueSettings{}, fmt.Errorf("change the settings of queue %s: %w", queue, err)
	}
	return after, nil
}

// QueueControls returns the queues that have settings or commands that are held back, by name.
func (s *Store) QueueControls(context.Context) ([]record.QueueControl, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := make(map[string]record.QueueControl)
	for queue, row := range s.tables.settings {
		found[queue] = record.QueueControl{Queue: queue, QueueSettings: row.QueueSettings}
	}
	s.eachPending(func(row outboxRow) {
		if row.Held {
			queue := row.Command.Queue
			found[queue] = record.QueueControl{Queue: queue, QueueSettings: found[queue].QueueSettings, Waiting: true}
		}
	})
	controls := make([]record.QueueControl, 0, len(found))
	for _, control := range found {
		controls = append(controls, control)
	}
	slices.SortFunc(controls, func(a, b record.QueueControl) int { return strings.Compare(a.Queue, b.Queue) })
	return controls, nil
}

// ReleaseHeld takes over commands that the settings of their queue hold back, as many as the settings allow:
// compensations first, then by priority, then by age. Commands of sagas that have ended are dropped: they were never
// sent. Orphans, whose saga is gone, become dead letters.
func (s *Store) ReleaseHeld(ctx context.Context, claim record.HeldClaim) ([]wire.Command, error) {
	var released []wire.Command
	err := s.write(ctx, func(w *writing) error {
		now, bytes := s.now(), 0
		settings, held, out := w.heldRows(now, claim.Queue)
		tokens := min(settings.Burst(), settings.Tokens+settings.Rate*max(0, now.Sub(settings.TokensAt).Seconds()))
		before := tokens
		for _, row := range held {
			in, found := w.tables.sagas[row.Command.ID.Saga]
			if found && in.Status.Terminal() {
				w.deleteOutbox(row.Command.ID)
				continue
			}
			if found && in.Status == saga.Paused {
				continue
			}
			needs := found && row.rank() > 0
			if settings.Paused || needs && (settings.MaxOut > 0 && out >= settings.MaxOut || settings.Rate > 0 && tokens < 1) {
				continue
			}
			if bytes += len(row.Command.Body); len(released) >= claim.Limit || len(released) > 0 && claim.Bytes > 0 && bytes > claim.Bytes {
				break
			}
			if !found {
				w.orphaned(row.Command, now)
				continue
			}
			if needs {
				out, tokens = out+1, tokens-1
			}
			row.Held, row.Leased, row.ClaimedUntil = false, true, now.Add(s.lease)
			row.Placed = row.Placed || needs && settings.MaxOut > 0
			w.putOutbox(row)
			command := cloneCommand(row.Command)
			command.Suspect = !row.RefusedAt.IsZero()
			released = append(released, command)
		}
		if settings.Rate > 0 && tokens < before {
			settings.Tokens, settings.TokensAt = tokens, now
			w.put(bucketSettings, claim.Queue, settings, func() { w.tables.settings[claim.Queue] = settings })
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("release commands of queue %s: %w", claim.Queue, err)
	}
	slices.SortFunc(released, byRelease)
	return released, nil
}

// heldRows returns the commands of a queue that are held back, in the order in which they leave, and counts the execute
// commands that are out. A queue with settings also holds back what no replica publishes.
func (w *writing) heldRows(now time.Time, queue string) (settings settingsRow, held []outboxRow, out int) {
	settings, set := w.tables.settings[queue]
	for _, rows := range w.tables.outbox {
		for _, row := range rows {
			if row.Command.Queue != queue {
				continue
			}
			if set && !row.Held && !row.Delivered && !row.ClaimedUntil.After(now) {
				if row.Leased {
					row.Attempts++
				}
				row.Held, row.Leased = true, false
				w.putOutbox(row)
			}
			if row.Held {
				held = append(held, row)
			}
			if w.tables.isOut(row) {
				out++
			}
		}
	}
	slices.SortFunc(held, byRank)
	return settings, held, out
}

// isOut reports whether an execute command counts as out: it was published or is being published, and is awaited.
func (t *tables) isOut(row outboxRow) bool {
	if row.Command.ID.Direction == saga.Compensate || !row.Delivered && !row.Leased && !row.Placed {
		return false
	}
	in, found := t.sagas[row.Command.ID.Saga]
	return found && commandsOut(&in.Instance)[row.Command.ID.String()]
}

// SagasOut returns the first sagas of the scope whose commands are out of a queue, oldest first, up to record.MaxSagasOut.
func (s *Store) SagasOut(_ context.Context, queue string, scope record.Scope) (ids []string, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for id, rows := range s.tables.outbox {
		for _, row := range rows {
			if row.Command.Queue == queue && s.tables.isOut(row) && scope.Covers(s.tables.sagas[id].Definition) {
				ids = append(ids, id)
				break
			}
		}
	}
	slices.Sort(ids)
	return ids[:min(len(ids), record.MaxSagasOut)], nil
}

// rank is the order in which rows that are held back leave. At 0 they need neither a place nor a token: they wait for the
// end of a pause only.
func (r *outboxRow) rank() int {
	const ranks = 256
	if r.Placed || r.Command.ID.Direction == saga.Compensate {
		return 0
	}
	return ranks - int(r.Command.Priority)
}

func byRank(a, b outboxRow) int {
	return cmp.Or(cmp.Compare(a.rank(), b.rank()), byAge(a.Command, b.Command))
}

// byRelease orders commands that were held back: compensations leave first.
func byRelease(a, b wire.Command) int {
	return cmp.Or(cmp.Compare(a.ID.Direction, b.ID.Direction), byUrgency(a, b))
}

// byUrgency orders commands by priority, then by age.
func byUrgency(a, b wire.Command) int {
	return cmp.Or(cmp.Compare(b.Priority, a.Priority), byAge(a, b))
}

// before counts the commands that leave before one that is held back.
func (s *Store) before(row outboxRow) (n int64) {
	s.eachPending(func(other outboxRow) {
		if other.Held && other.Command.Queue == row.Command.Queue && byRank(other, row) < 0 {
			n++
		}
	})
	return min(n, record.MaxBefore)
}
