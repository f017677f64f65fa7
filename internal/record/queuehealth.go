package record

import (
	"fmt"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// QueueHealth is the health of a worker queue as of the last check.
type QueueHealth struct {
	Queue     string
	Unhealthy bool
	Reasons   []string  // sentences; empty if healthy
	Since     time.Time // when it became healthy or unhealthy
	Changes   int64     // how often it has become so
}

// QueueEvidence is what a check finds out about a worker queue.
type QueueEvidence struct {
	QueueLoad
	Inspected   bool          // the broker answered: Depth and Consumers are known
	Depth       int           // messages ready for a worker
	Consumers   int           // of the queue
	Age         time.Duration // of the oldest command out; 0: none is out
	DeadLetters int64         // that came of the queue in the last hour and are still there
}

// QueueVerdict is the result of a check. No reasons mean that the queue is healthy, as far as is known.
type QueueVerdict struct {
	Evidence QueueEvidence
	Reasons  []string
}

// After returns the health that follows from a check at a time. checked is false before the first check of the queue.
// turned reports whether the queue became unhealthy, or healthy again. Missing evidence never makes a queue healthy.
func (v *QueueVerdict) After(before QueueHealth, checked bool, now time.Time) (after QueueHealth, turned bool) {
	unhealthy := len(v.Reasons) > 0
	if before.Unhealthy && !unhealthy && !v.Evidence.Inspected {
		return before, false
	}
	after = QueueHealth{
		Queue: v.Evidence.Queue, Unhealthy: unhealthy, Reasons: slices.Clone(v.Reasons), Since: before.Since, Changes: before.Changes,
	}
	turned = unhealthy != before.Unhealthy
	if turned || !checked {
		after.Since = now
		if before.Since.After(now) {
			after.Since = before.Since // the clock ran backwards; events have their order by time
		}
	}
	if turned {
		after.Changes++
	}
	return after, turned
}

// Equal reports whether two states are the same.
func (h *QueueHealth) Equal(other QueueHealth) bool {
	return h.Queue == other.Queue && h.Unhealthy == other.Unhealthy && h.Changes == other.Changes &&
		h.Since.Equal(other.Since) && slices.Equal(h.Reasons, other.Reasons)
}

// Status returns the health in a word.
func (h *QueueHealth) Status() string {
	if h.Unhealthy {
		return QueueUnhealthy
	}
	return QueueHealthy
}

// The words for the health of a queue.
const (
	QueueHealthy   = "healthy"
	QueueUnhealthy = "unhealthy"
)

// queueEventData is the data of an event about a queue.
type queueEventData struct {
	Queue         string     `json:"queue"`
	Status        string     `json:"status"`
	Reasons       []string   `json:"reasons"`
	Depth         *int       `json:"depth"`
	Consumers     *int       `json:"consumers"`
	CommandsOut   int64      `json:"commands_out"`
	HeldBack      int64      `json:"held_back"`
	Oldest        *time.Time `json:"oldest"`
	DeadLetters   int64      `json:"dead_letters"`
	PreviousSince *time.Time `json:"previous_since"`
}

// QueueEvents returns the event of a queue that became unhealthy or healthy, once for each sink.
func QueueEvents(before, after QueueHealth, evidence QueueEvidence, sinks func(eventType string) []Sink) ([]Event, error) {
	event := wire.Event{Subject: after.Queue, Seq: after.Changes, Type: EventQueueHealthy, At: after.Since}
	if after.Unhealthy {
		event.Type = EventQueueUnhealthy
	}
	data := queueEventData{
		Queue: after.Queue, Status: after.Status(), Reasons: append([]string{}, after.Reasons...),
		CommandsOut: evidence.CommandsOut, HeldBack: evidence.HeldBack, DeadLetters: evidence.DeadLetters,
	}
	if evidence.Inspected {
		data.Depth, data.Consumers = &evidence.Depth, &evidence.Consumers
	}
	if !evidence.Oldest.IsZero() {
		data.Oldest = &evidence.Oldest
	}
	if !before.Since.IsZero() {
		data.PreviousSince = &before.Since
	}
	var err error
	if event.Data, err = saga.EncodeJSON(data); err != nil {
		return nil, fmt.Errorf("encode the event of queue %s: %w", after.Queue, err)
	}
	var all []Event
	for _, sink := range sinks(event.Type) {
		all = append(all, Event{Sink: sink, Event: event})
	}
	return all, nil
}
