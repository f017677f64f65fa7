package record

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Sink is a destination of lifecycle events. An event is stored once for each of its sinks, so that one that is away
// delays no other.
type Sink string

// The sinks.
const (
	SinkAMQP     Sink = "amqp"
	SinkKafka    Sink = "kafka"
	SinkWebhooks Sink = "webhooks"
)

// Sinks returns all sinks.
func Sinks() []Sink { return []Sink{SinkAMQP, SinkKafka, SinkWebhooks} }

// Event is a lifecycle event that one sink has not taken yet.
type Event struct {
	Sink Sink
	wire.Event
	// Place is where the store has the event, for ForgetEvents. Only NextEvents sets it.
	Place string
	// Unreadable is why Data stands for other data, which SQL has stored. Only NextEvents sets it.
	Unreadable error `json:"-"`
}

// EventPageBytes bounds the data and subjects of the events that a sink reads at a time.
const EventPageBytes = 8 << 20

// MaxEventDetail is the size in bytes beyond which an event does not repeat the detail of its history entry.
const MaxEventDetail = 16 << 10

// eventData is the data of an event about a saga.
type eventData struct {
	Definition    string            `json:"definition"`
	Version       int               `json:"version"`
	Key           string            `json:"key,omitempty"`
	Labels        map[string]string `json:"labels,omitempty"`
	Step          string            `json:"step,omitempty"`
	Attempt       int               `json:"attempt,omitempty"`
	Actor         string            `json:"actor,omitempty"`
	Detail        json.RawMessage   `json:"detail,omitempty"`
	DetailOmitted bool              `json:"detail_omitted,omitempty"`
	TraceParent   string            `json:"traceparent,omitempty"`
}

// EventOf returns the event of a history entry.
func EventOf(in *saga.Instance, entry *saga.Entry) (wire.Event, error) {
	data := eventData{
		Definition: in.Definition, Version: in.Version, Key: in.Key, Labels: in.Labels, Step: entry.Step,
		Attempt: entry.Attempt, Actor: entry.Actor, TraceParent: in.TraceParent,
	}
	if len(entry.Detail) > 0 {
		detail, err := saga.EncodeJSON(entry.Detail)
		if err != nil {
			return wire.Event{}, fmt.Errorf("encode the detail of entry %d of saga %s: %w", entry.Seq, in.ID, err)
		}
		if data.DetailOmitted = len(detail) > MaxEventDetail; !data.DetailOmitted {
			data.Detail = detail
		}
	}
	content, err := saga.EncodeJSON(data)
	if err != nil {
		return wire.Event{}, fmt.Errorf("encode the event of entry %d of saga %s: %w", entry.Seq, in.ID, err)
	}
	return wire.Event{
		Subject: in.ID, Seq: entry.Seq, Type: string(entry.Type), At: entry.At, Definition: in.Definition, Data: content,
	}, nil
}

// EventLevel says which events of sagas are published.
type EventLevel string

// The levels.
const (
	EventsNone EventLevel = "none"
	EventsSaga EventLevel = "saga" // those of the sagas themselves
	EventsAll  EventLevel = "all"  // those of their steps, too
)

// Includes reports whether events of a type are published at this level.
func (l EventLevel) Includes(eventType string) bool {
	switch l {
	case EventsAll:
		return true
	case EventsSaga:
		return !strings.HasPrefix(eventType, "step.")
	default:
		return false
	}
}

// EventLevels returns the valid levels.
func EventLevels() []EventLevel { return []EventLevel{EventsSaga, EventsAll, EventsNone} }
