package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

func (t *transaction) putEvents(events []record.Event) {
	for i := range events {
		t.putEvent(events[i])
	}
}

// putAbandoned adds the events of a saga that the store abandoned.
func (t *transaction) putAbandoned(in *saga.Instance, entry saga.Entry, sinks []record.Sink) error {
	for _, sink := range sinks {
		event, err := record.EventOf(in, &entry)
		if err != nil {
			return err
		}
		t.putEvent(record.Event{Sink: sink, Event: event})
	}
	return nil
}

func (w *writing) putEvent(row record.Event) {
	row.At = micro(row.At)
	w.put(bucketEvents, eventKey(row.Sink, &row.Event), row, func() { w.tables.putEvent(row) })
}

func eventKey(sink record.Sink, e *wire.Event) string { return string(sink) + "/" + e.ID() }

func (t *tables) putEvent(row record.Event) {
	if t.events[row.Sink] == nil {
		t.events[row.Sink] = make(map[string]record.Event)
	}
	t.events[row.Sink][eventKey(row.Sink, &row.Event)] = row
}

// NextEvents returns up to limit events that a sink has not taken, but for those of the excepted subjects. Those of one subject are
// in their order.
func (s *Store) NextEvents(_ context.Context, sink record.Sink, limit int, except ...string) ([]record.Event, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := make([]record.Event, 0, len(s.tables.events[sink]))
	for _, row := range s.tables.events[sink] {
		if !slices.Contains(except, row.Subject) {
			found = append(found, row)
		}
	}
	slices.SortFunc(found, func(a, b record.Event) int {
		return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Subject, b.Subject), cmp.Compare(a.Seq, b.Seq))
	})
	return found[:min(limit, len(found))], nil
}

// ForgetEvents deletes events that a sink has taken.
func (s *Store) ForgetEvents(ctx context.Context, sink record.Sink, taken []record.Event) error {
	err := s.write(ctx, func(w *writing) error {
		for i := range taken {
			key := eventKey(sink, &taken[i].Event)
			w.delete(bucketEvents, key, func() { delete(w.tables.events[sink], key) })
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("delete %d events for %s: %w", len(taken), sink, err)
	}
	return nil
}
