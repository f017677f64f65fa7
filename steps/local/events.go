package local

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// eventsPrefix is the default prefix of the names in RabbitMQ.
const eventsPrefix = "saga"

// errNotHandled means that a subscriber did not handle an event. It gets the event again.
var errNotHandled = errors.New("a subscriber has not handled the event")

// subscriber gets the lifecycle events that match its keys.
type subscriber struct {
	keys   []string
	events chan offer
	gone   chan struct{} // closed when the subscription ends
}

// offer is an event for one subscriber.
type offer struct {
	message wire.Message
	handled chan bool // has room for the result
}

// subscribers of one process. The zero value is usable.
type subscribers struct {
	mu  sync.Mutex
	all map[*subscriber]struct{}
}

func (s *subscribers) add(one *subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = make(map[*subscriber]struct{})
	}
	s.all[one] = struct{}{}
}

func (s *subscribers) remove(one *subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.all, one)
}

func (s *subscribers) of(key string) (found []*subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for one := range s.all {
		for _, pattern := range one.keys {
			if matches(strings.Split(pattern, "."), strings.Split(key, ".")) {
				found = append(found, one)
				break
			}
		}
	}
	return found
}

// matches reports whether a routing key matches a pattern of a topic exchange: * is one word, # any number of words.
func matches(pattern, key []string) bool {
	switch {
	case len(pattern) == 0:
		return len(key) == 0
	case pattern[0] == "#":
		return matches(pattern[1:], key) || len(key) > 0 && matches(pattern, key[1:])
	case len(key) == 0:
		return false
	default:
		return (pattern[0] == "*" || pattern[0] == key[0]) && matches(pattern[1:], key[1:])
	}
}

// Subscribe calls handle with the lifecycle events that match one of the keys, one at a time, until ctx ends. It gets only
// events that are published while it runs. The name is ignored: a process subscribes for itself.
func (b *Broker) Subscribe(ctx context.Context, _ string, keys []string, handle func(wire.Message) wire.Answer) error {
	own := &subscriber{keys: keys, events: make(chan offer), gone: make(chan struct{})}
	b.subscribers.add(own)
	defer close(own.gone)
	defer b.subscribers.remove(own)
	for {
		select {
		case offered := <-own.events:
			offered.handled <- handle(offered.message).Settlement == wire.Dropped
		case <-ctx.Done():
			return nil
		}
	}
}

// PublishEvents hands events to the subscribers, and returns the error of each event that one of them has not handled.
func (b *Broker) PublishEvents(ctx context.Context, events []wire.Event) []error {
	faults := make([]error, len(events))
	for i := range events {
		faults[i] = b.publishEvent(ctx, &events[i])
	}
	return faults
}

func (b *Broker) publishEvent(ctx context.Context, event *wire.Event) error {
	wanting := b.subscribers.of(event.RoutingKey())
	if len(wanting) == 0 {
		return nil
	}
	body, err := event.Encode(wire.EventSource(eventsPrefix))
	if err != nil {
		return err
	}
	message := wire.Message{
		MessageID: event.ID(), Type: event.Type, ContentType: wire.EventContentType, Body: body, Timestamp: time.Now(),
	}
	for _, one := range wanting {
		if err := one.offer(ctx, message); err != nil {
			return err
		}
	}
	return nil
}

// offer waits until the subscriber has handled the event, or is gone.
func (s *subscriber) offer(ctx context.Context, message wire.Message) error {
	offered := offer{message: message, handled: make(chan bool, 1)}
	select {
	case s.events <- offered:
	case <-s.gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case handled := <-offered.handled:
		if !handled {
			return errNotHandled
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
