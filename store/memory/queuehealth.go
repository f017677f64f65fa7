package memory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// QueueHealth returns the health of every queue that was checked, by queue.
func (s *Store) QueueHealth(context.Context) ([]record.QueueHealth, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.SortedFunc(maps.Values(s.tables.health), func(a, b record.QueueHealth) int {
		return strings.Compare(a.Queue, b.Queue)
	}), nil
}

// SettleQueueHealth stores the results of a check, with an event for each sink of each queue that became unhealthy, or
// healthy again. It returns these queues.
func (s *Store) SettleQueueHealth(
	ctx context.Context, verdicts []record.QueueVerdict, sinks func(eventType string) []record.Sink,
) (turned []record.QueueHealth, err error) {
	err = s.write(ctx, func(w *writing) error {
		now := s.now()
		for i := range verdicts {
			queue := verdicts[i].Evidence.Queue
			old, checked := w.tables.health[queue]
			after, changed := verdicts[i].After(old, checked, now)
			if checked && after.Equal(old) {
				continue
			}
			w.put(bucketHealth, queue, after, func() { w.tables.health[queue] = after })
			if !changed {
				continue
			}
			turned = append(turned, after)
			events, err := record.QueueEvents(old, after, verdicts[i].Evidence, sinks)
			if err != nil {
				return err
			}
			for _, event := range events {
				w.putEvent(event)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("store the health of %d queues: %w", len(verdicts), err)
	}
	return turned, nil
}

// RecentDeadLetters counts the commands of each queue that were dead-lettered since a time ago and are still there. It
// returns the store's time with them.
func (s *Store) RecentDeadLetters(_ context.Context, since time.Duration) (byQueue map[string]int64, now time.Time, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	now, byQueue = s.now(), make(map[string]int64)
	for _, letter := range s.tables.deadLetters {
		if letter.Source == record.SourceCommand && letter.ReceivedAt.After(now.Add(-since)) {
			byQueue[letter.Queue]++
		}
	}
	return byQueue, now, nil
}
