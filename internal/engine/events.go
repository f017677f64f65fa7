package engine

import (
	"fmt"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Sinks returns the sinks that want the events of a type. It is called for each history entry, so it must be quick.
type Sinks func(eventType string) []record.Sink

// events returns the lifecycle events of the entries of a saga, one for each sink.
func (b *batchState) events(s *sagaState) (all []record.Event, err error) {
	var redact func(string) string
	for i := range s.entries {
		sinks := b.sinks(string(s.entries[i].Type))
		if len(sinks) == 0 {
			continue
		}
		entry := &s.entries[i]
		if len(entry.Detail) > 0 && s.def != nil && s.def.Hides(&s.instance) {
			if redact == nil {
				redact = s.def.Redactor(&s.instance)
			}
			public := *entry
			public.Detail = record.RedactDetail(entry.Detail, redact)
			entry = &public
		}
		event, err := record.EventOf(&s.instance, entry)
		if err != nil {
			return nil, err
		}
		for _, sink := range sinks {
			all = append(all, record.Event{Sink: sink, Event: event})
		}
	}
	return all, nil
}

// letterData is the data of an event about a dead letter.
type letterData struct {
	ID      string `json:"id"`
	Source  string `json:"source"`
	Queue   string `json:"queue"`
	Reason  string `json:"reason"`
	Message string `json:"message"`
	Saga    string `json:"saga,omitempty"`
	Command string `json:"command,omitempty"`
}

// letterEvents returns the events of new dead letters. A letter that is stored again has its event again, with the same id.
func (b *batchState) letterEvents(letters []record.DeadLetter) (all []record.Event, err error) {
	sinks := b.sinks(record.EventDeadLetterAdded)
	if len(sinks) == 0 {
		return nil, nil
	}
	for i := range letters {
		l := &letters[i]
		data, err := saga.EncodeJSON(letterData{l.ID, l.Source, l.Queue, l.Reason, l.Message, l.SagaID, l.CommandID})
		if err != nil {
			return nil, fmt.Errorf("encode the event of dead letter %s: %w", l.ID, err)
		}
		for _, sink := range sinks {
			all = append(all, record.Event{Sink: sink, Event: wire.Event{
				Subject: l.ID, Seq: 1, Type: record.EventDeadLetterAdded, At: b.now, Data: data,
			}})
		}
	}
	return all, nil
}
