package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// EventContentType is the content type of a lifecycle event: a CloudEvent in structured JSON mode.
const EventContentType = "application/cloudevents+json"

// cloudEventsVersion is the version of the CloudEvents specification.
const cloudEventsVersion = "1.0"

// Event is a lifecycle event.
type Event struct {
	Subject    string // id of the saga, or name of the queue
	Seq        int64  // with Subject it identifies the event; later events of a subject have larger numbers
	Type       string // such as saga.completed
	At         time.Time
	Definition string          // empty: the event does not concern a saga
	Data       json.RawMessage // an object
}

// ID returns the event's id. It is the same each time the event is published.
func (e *Event) ID() string { return e.Subject + "/" + strconv.FormatInt(e.Seq, 10) }

// RoutingKey returns the key of the topic exchange: <definition>.<type> for a saga, queue.<queue>.unhealthy for a queue.
func (e *Event) RoutingKey() string {
	if e.Definition != "" {
		return e.Definition + "." + e.Type
	}
	kind, verb, _ := strings.Cut(e.Type, ".")
	return kind + "." + e.Subject + "." + verb
}

// cloudEvent is the JSON of an event. Its members keep this order.
type cloudEvent struct {
	SpecVersion string          `json:"specversion"`
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	Type        string          `json:"type"`
	Subject     string          `json:"subject"`
	Time        time.Time       `json:"time"`
	ContentType string          `json:"datacontenttype"`
	Data        json.RawMessage `json:"data"`
}

// Encode returns the event as a CloudEvent. source names the installation that it comes from.
func (e *Event) Encode(source string) ([]byte, error) {
	content, err := saga.EncodeJSON(cloudEvent{
		SpecVersion: cloudEventsVersion, ID: e.ID(), Source: source, Type: e.Type, Subject: e.Subject, Time: e.At.UTC(),
		ContentType: ContentType, Data: e.Data,
	})
	if err != nil {
		return nil, fmt.Errorf("encode event %s: %w", e.ID(), err)
	}
	return content, nil
}

// EventSource returns the source of the events of an installation with this prefix.
func EventSource(prefix string) string { return "/" + prefix }

// ReceivedEvent is a lifecycle event as a subscriber gets it.
type ReceivedEvent struct {
	ID, Source, Type, Subject string
	Time                      time.Time
	Data                      json.RawMessage
}

// DecodeEvent reads a CloudEvent.
func DecodeEvent(content []byte) (ReceivedEvent, error) {
	var read cloudEvent
	if err := json.Unmarshal(content, &read); err != nil {
		return ReceivedEvent{}, errors.New("not a CloudEvent in JSON") // the decoder's error would quote it
	}
	if read.SpecVersion != cloudEventsVersion || read.ID == "" || read.Type == "" {
		return ReceivedEvent{}, errors.New("not a CloudEvent of version 1.0 with an id and a type")
	}
	return ReceivedEvent{
		ID: read.ID, Source: read.Source, Type: read.Type, Subject: read.Subject, Time: read.Time, Data: read.Data,
	}, nil
}
