package resource

import (
	"encoding/json"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// List is a page of a list.
type List[T any] struct {
	Items      []T  `json:"items"`
	NextCursor Text `json:"next_cursor" nullable:"true" doc:"Cursor of the next page; null on the last page"`
}

// HistoryEntry is an event in a saga's history.
type HistoryEntry struct {
	Seq     int64          `json:"seq"`
	At      Time           `json:"at" format:"date-time"`
	Type    saga.EntryType `json:"type"`
	Step    string         `json:"step,omitempty"`
	Attempt int            `json:"attempt,omitempty"`
	Actor   string         `json:"actor,omitempty"`
	Detail  map[string]any `json:"detail,omitempty"`
}

// DeadLetter is a message that could not be processed. Lists omit its headers and body.
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
	Text        string          `json:"text,omitempty" doc:"The body as text, if it is valid UTF-8"`
}

// Queue is a worker queue. The values from the broker are null if the broker did not answer; the values from the database
// are null if counting took too long.
type Queue struct {
	Name        string `json:"name"`
	Exists      *bool  `json:"exists"`
	Depth       *int   `json:"depth" doc:"Messages ready for a worker"`
	Consumers   *int   `json:"consumers"`
	CommandsOut *int64 `json:"commands_out" doc:"Commands of unfinished sagas that wait for a reply, without those that are held back"`
	Oldest      *Time  `json:"oldest" format:"date-time" doc:"When the oldest of these commands was sent"`
	Unpublished *int64 `json:"unpublished" doc:"How many of these commands are still in the outbox"`
	HeldBack    *int64 `json:"held_back" doc:"Commands that the settings of the queue hold back in the outbox. One whose saga was paused meanwhile stays until the saga is resumed"`

	Paused bool     `json:"paused" doc:"true: no command leaves the outbox"`
	MaxOut *int     `json:"max_out" doc:"Execute commands that may be out at a time, over all replicas; null: no cap"`
	Rate   *float64 `json:"rate" doc:"Execute commands that may leave in a second, over all replicas; null: no limit"`

	Health QueueHealth `json:"health" doc:"As of the last check"`
}

// QueueHealth is the health of a worker queue. A queue that was not checked yet is healthy.
type QueueHealth struct {
	Status  string   `json:"status" enum:"healthy,unhealthy"`
	Reasons []string `json:"reasons" nullable:"false" doc:"Why it is unhealthy: sentences with the value and the limit"`
	Since   *Time    `json:"since" format:"date-time" doc:"When it became so; null: not checked yet"`
}

// QueueDetails is a worker queue with its recent past.
type QueueDetails struct {
	Queue
	Samples []QueueSample `json:"samples" nullable:"false" doc:"The last hour as this process saw it, a sample a minute, oldest first"`
}

// QueueSample is the state of a worker queue at a time. A value is null if it was not known.
type QueueSample struct {
	At          Time   `json:"at" format:"date-time"`
	Depth       *int   `json:"depth"`
	Consumers   *int   `json:"consumers"`
	CommandsOut *int64 `json:"commands_out"`
	HeldBack    *int64 `json:"held_back"`
}

// QueueSettings is the body of `PATCH /v1/queues/{queue}`. An absent member changes nothing; null takes the setting away.
type QueueSettings struct {
	Paused *bool    `json:"paused,omitempty" nullable:"true" doc:"true: no command leaves the outbox, compensations included"`
	MaxOut *int     `json:"max_out,omitempty" nullable:"true" doc:"Execute commands that may be out at a time, over all replicas, from 1 to 10,000"`
	Rate   *float64 `json:"rate,omitempty" nullable:"true" doc:"Execute commands that may leave in a second, over all replicas, from 0.01 to 100,000"`
}

// Stats holds counts over all sagas.
type Stats struct {
	Sagas       map[string]map[saga.Status]int64 `json:"sagas" doc:"Number of sagas by definition and status"`
	Attention   map[saga.AttentionReason]int64   `json:"attention" doc:"Number of sagas that need an operator, by reason"`
	Throughput  Throughput                       `json:"throughput"`
	Outbox      OutboxStats                      `json:"outbox"`
	DeadLetters int64                            `json:"dead_letters"`
	CountedAt   Time                             `json:"counted_at" format:"date-time" doc:"When the ended sagas and the throughput were counted. From 20,000 ended sagas on, at most 10 seconds ago; the rest is always counted anew"`
}

// Throughput counts sagas that started and that ended.
type Throughput struct {
	StartedLastMinute  int64 `json:"started_last_minute"`
	StartedLastHour    int64 `json:"started_last_hour"`
	FinishedLastMinute int64 `json:"finished_last_minute"`
	FinishedLastHour   int64 `json:"finished_last_hour"`

	Minutes []Minute `json:"minutes" doc:"The last 60 whole minutes, oldest first; those without sagas, too"`
}

// Minute counts the sagas that started and that ended in a minute.
type Minute struct {
	At          Time  `json:"at" format:"date-time" doc:"The beginning of the minute"`
	Started     int64 `json:"started"`
	Completed   int64 `json:"completed"`
	Compensated int64 `json:"compensated"`
	Abandoned   int64 `json:"abandoned"`
}

// OutboxStats counts commands that the broker has not confirmed.
type OutboxStats struct {
	Pending  int64 `json:"pending"`
	Oldest   *Time `json:"oldest" format:"date-time"`
	HeldBack int64 `json:"held_back" doc:"Commands that settings of their queues, or the pause of their sagas, hold back; not part of pending"`
}
