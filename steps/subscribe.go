package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// Event is a lifecycle event of a saga, of one of its steps, or of a queue.
type Event struct {
	ID      string // the same each time the event is delivered
	Source  string // the installation
	Type    string // such as saga.completed
	Subject string // id of the saga, or name of the queue
	Time    time.Time
	Data    EventData
}

// EventData is what an event says about a saga. Raw holds all of it.
type EventData struct {
	Definition string            `json:"definition"`
	Version    int               `json:"version"`
	Key        string            `json:"key"`
	Labels     map[string]string `json:"labels"`
	Step       string            `json:"step"` // empty: the event concerns the saga
	Attempt    int               `json:"attempt"`
	Actor      string            `json:"actor"`  // operator or caller; empty: the orchestrator
	Detail     json.RawMessage   `json:"detail"` // as in the saga's history
	Raw        json.RawMessage   `json:"-"`
}

// EventTransport delivers lifecycle events. The transports of AMQP and of package local implement it.
type EventTransport interface {
	// Subscribe calls handle with each event whose routing key matches one of keys, one at a time, until ctx ends.
	Subscribe(ctx context.Context, name string, keys []string, handle func(wire.Message) wire.Answer) error
}

// Subscription configures a subscriber. Name is required.
type Subscription struct {
	// Name identifies the subscriber among all: lower-case letters, digits and hyphens, at most 63. Over RabbitMQ the durable
	// queue <prefix>.events.<name> keeps events while no process of this name runs. Of several processes with the same name
	// one at a time gets events.
	Name string
	// Keys select events by routing key, <definition>.<event type>: * stands for one word, # for any number of words, as in
	// order.saga.* or *.saga.stuck. Default: all events.
	Keys []string
	// Remember is the number of ids of handled events by which a repeated one is recognised. Default: 10,000. SubscribeTx
	// recognises every repeated one.
	Remember int
	// Logger logs failed and invalid events. nil: no log.
	Logger *slog.Logger
}

var validName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

func (s Subscription) withDefaults() (Subscription, error) {
	if !validName.MatchString(s.Name) {
		return s, fmt.Errorf("subscription name %q: want lower-case letters, digits and hyphens, at most 63", s.Name)
	}
	if len(s.Keys) == 0 {
		s.Keys = []string{"#"}
	}
	if s.Remember <= 0 {
		s.Remember = 10_000
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	s.Logger = s.Logger.With("subscription", s.Name)
	return s, nil
}

// ErrNoEvents means that a transport delivers no lifecycle events.
var ErrNoEvents = errors.New("this transport delivers no lifecycle events")

// Subscribe calls handle with each lifecycle event until ctx ends. The events of one saga come in their order. An event
// whose handler returns an error is handled again after a pause, which grows to 30 seconds; later events wait. Repeated
// events are dropped as far as Subscription.Remember allows; after a restart an event may come again.
//
// The orchestrator publishes the events of sagas by default, and those of steps with --events all.
func Subscribe(ctx context.Context, transport Transport, s Subscription, handle func(context.Context, Event) error) error {
	s, err := s.withDefaults()
	if err != nil {
		return err
	}
	switch {
	case transport == nil:
		return fmt.Errorf("subscription %s: %w", s.Name, errNoTransport)
	case handle == nil:
		return fmt.Errorf("subscription %s: %w", s.Name, errNoSubscriber)
	}
	source, delivers := transport.(EventTransport)
	if !delivers {
		return ErrNoEvents
	}
	known := newRecent(s.Remember)
	return source.Subscribe(ctx, s.Name, s.Keys, func(message wire.Message) wire.Answer {
		event, err := decodeEvent(message)
		if err != nil {
			s.Logger.Error("dropped a message that is not an event", "message_id", message.MessageID, "error", err)
			return wire.Answer{Settlement: wire.Dropped}
		}
		if known.has(event.ID) {
			return wire.Answer{Settlement: wire.Dropped}
		}
		if !handled(ctx, s.Logger, event, handle) {
			return wire.Answer{Settlement: wire.Requeued}
		}
		known.add(event.ID)
		return wire.Answer{Settlement: wire.Dropped}
	})
}

const (
	firstEventPause = 100 * time.Millisecond
	maxEventPause   = 30 * time.Second
)

// handled calls the handler until it succeeds. It returns false if ctx ended first.
func handled(ctx context.Context, log *slog.Logger, event Event, handle func(context.Context, Event) error) bool {
	pause := firstEventPause
	for {
		_, err := protect(alone, func() *slog.Logger { return log }, func() (json.RawMessage, error) { return nil, handle(ctx, event) })
		if err == nil {
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		log.Warn("an event was not handled, trying again", "event", event.ID, "type", event.Type, "error", err, "pause", pause)
		if !wait.For(ctx, pause) {
			return false
		}
		pause = min(2*pause, maxEventPause)
	}
}

func decodeEvent(message wire.Message) (Event, error) {
	read, err := wire.DecodeEvent(message.Body)
	if err != nil {
		return Event{}, err
	}
	event := Event{ID: read.ID, Source: read.Source, Type: read.Type, Subject: read.Subject, Time: read.Time}
	if err := json.Unmarshal(read.Data, &event.Data); err != nil {
		return Event{}, errors.New("data: want an object")
	}
	event.Data.Raw = read.Data
	return event, nil
}
