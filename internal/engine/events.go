package engine

import (
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Sinks returns the sinks that want the events of a type. It is called for each history entry, so it must be quick.
type Sinks func(entry saga.EntryType) []record.Sink

// events returns the lifecycle events of the entries of a saga, one for each sink.
func (b *batchState) events(s *sagaState) (all []record.Event, err error) {
	for i := range s.entries {
		sinks := b.sinks(s.entries[i].Type)
		if len(sinks) == 0 {
			continue
		}
		event, err := record.EventOf(&s.instance, &s.entries[i])
		if err != nil {
			return nil, err
		}
		for _, sink := range sinks {
			all = append(all, record.Event{Sink: sink, Event: event})
		}
	}
	return all, nil
}
