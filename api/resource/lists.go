package resource

import (
	"encoding/json"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// List is a stretch of a list.
type List[T any] struct {
	Items      []T  `json:"items"`
	NextCursor Text `json:"next_cursor" nullable:"true" doc:"The cursor of the next page; null on the last"`
}

// HistoryEntry is a line of a saga's history.
type HistoryEntry struct {
	Seq     int64          `json:"seq"`
	At      Time           `json:"at" format:"date-time"`
	Type    saga.EntryType `json:"type"`
	Step    string         `json:"step,omitempty"`
	Attempt int            `json:"attempt,omitempty"`
	Actor   string         `json:"actor,omitempty"`
	Detail  map[string]any `json:"detail,omitempty"`
}

// DeadLetter is a message that could not be processed. A list leaves out the content.
type DeadLetter struct {
	ID          string          `json:"id"`
	Source      string          `json:"source" doc:"reply, command or start"`
	Queue       string          `json:"queue"`
	Reason      string          `json:"reason" doc:"A stable code"`
	Message     string          `json:"message"`
	SagaID      string          `json:"saga_id,omitempty"`
	CommandID   string          `json:"command_id,omitempty"`
	ReceivedAt  Time            `json:"received_at" format:"date-time"`
	ContentType string          `json:"content_type,omitempty"`
	Size        int             `json:"size" doc:"Bytes of the body"`
	Headers     json.RawMessage `json:"headers,omitempty"`
	Body        []byte          `json:"body,omitempty" doc:"The raw bytes"`
	Text        string          `json:"text,omitempty" doc:"The body as text, when it is valid UTF-8"`
}

// Queue is a worker queue. What the broker knows is null when it could not be asked, and what the database knows when
// there are too many sagas to count in time.
type Queue struct {
	Name        string `json:"name"`
	Exists      *bool  `json:"exists"`
	Depth       *int   `json:"depth" doc:"Messages ready for a worker"`
	Consumers   *int   `json:"consumers"`
	CommandsOut *int64 `json:"commands_out" doc:"Commands of unfinished sagas that wait for a reply"`
	Oldest      *Time  `json:"oldest" format:"date-time" doc:"When the oldest of them was dispatched"`
	Unpublished *int64 `json:"unpublished" doc:"How many of them still wait in the outbox"`
}

// Stats is the state of all sagas at a glance.
type Stats struct {
	Sagas       map[string]map[saga.Status]int64 `json:"sagas" doc:"How many, by definition and status"`
	Attention   map[saga.AttentionReason]int64   `json:"attention" doc:"How many need a person, by reason"`
	Throughput  Throughput                       `json:"throughput"`
	Outbox      OutboxStats                      `json:"outbox"`
	DeadLetters int64                            `json:"dead_letters"`
}

// Throughput counts what was started and what reached its end.
type Throughput struct {
	StartedLastMinute  int64 `json:"started_last_minute"`
	StartedLastHour    int64 `json:"started_last_hour"`
	FinishedLastMinute int64 `json:"finished_last_minute"`
	FinishedLastHour   int64 `json:"finished_last_hour"`
}

// OutboxStats is what has not reached the broker yet.
type OutboxStats struct {
	Pending int64 `json:"pending"`
	Oldest  *Time `json:"oldest" format:"date-time"`
}
