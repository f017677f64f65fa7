package memory

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// staleAfter is how long after its RetryAt a problem remains valid without being recorded again.
const staleAfter = 2 * time.Minute

// NoteQueueProblems stores one problem per queue. A problem without a kind deletes the queue's problem.
func (s *Store) NoteQueueProblems(ctx context.Context, problems []record.QueueProblem) error {
	return s.write(ctx, func(w *writing) error {
		now := s.now()
		for _, p := range problems {
			if p.Kind == "" {
				delete(w.tables.problems, p.Queue)
				continue
			}
			if p.Since.IsZero() {
				p.Since = now
			}
			before, noted := w.tables.problems[p.Queue]
			if noted && before.Kind == p.Kind && now.Before(before.RetryAt.Add(staleAfter)) && before.Since.Before(p.Since) {
				p.Since = before.Since
			}
			p.Since, p.RetryAt = micro(p.Since), micro(p.RetryAt)
			w.tables.problems[p.Queue] = p
		}
		return nil
	})
}

// QueueProblems returns the current problems of queues, by queue.
func (s *Store) QueueProblems(context.Context) ([]record.QueueProblem, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	now := s.now()
	problems := slices.SortedFunc(maps.Values(s.tables.problems), func(a, b record.QueueProblem) int {
		return strings.Compare(a.Queue, b.Queue)
	})
	return slices.DeleteFunc(problems, func(p record.QueueProblem) bool {
		return !now.Before(p.RetryAt.Add(staleAfter))
	}), nil
}

// Installation returns the random id of this store. The file keeps it.
func (s *Store) Installation(context.Context) (string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.installation, nil
}
