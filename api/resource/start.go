package resource

import (
	"encoding/json"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// StartSaga is the body of `POST /v1/sagas`, and of a message to the start queue.
type StartSaga struct {
	Definition string            `json:"definition" doc:"Name of the definition"`
	Version    int               `json:"version,omitempty" minimum:"1" doc:"Version of the definition; absent: the latest"`
	Key        string            `json:"key,omitempty" minLength:"1" maxLength:"128" doc:"Business key, held by at most one unfinished saga of the definition"`
	Data       json.RawMessage   `json:"data,omitempty" doc:"The saga's data, a JSON object that commands carry; absent: {}"`
	Priority   uint8             `json:"priority,omitempty" maximum:"9" doc:"Priority of the saga's commands in their queues"`
	Labels     map[string]string `json:"labels,omitempty" doc:"At most 32 labels, by which sagas can be found"`
	StartAt    time.Time         `json:"start_at,omitzero" doc:"When to start; absent or past: immediately"`
	Deadline   saga.Duration     `json:"deadline,omitzero" doc:"Time limit of the part before the pivot, such as 24h; absent: the definition's"`
}

// RetryAction is the body of `POST /v1/sagas/{id}/retry`.
type RetryAction struct {
	Step   string `json:"step,omitempty" minLength:"1" doc:"The exhausted step; absent: all exhausted steps"`
	Reason string `json:"reason,omitempty" maxLength:"1000"`
}

// SkipAction is the body of `POST /v1/sagas/{id}/skip`.
type SkipAction struct {
	Step   string          `json:"step" doc:"The exhausted step or compensation to mark as done"`
	Output json.RawMessage `json:"output,omitempty" doc:"A JSON object that is merged into the saga's data like the output of the step"`
	Reason string          `json:"reason" maxLength:"1000"`
}

// RewindAction is the body of `POST /v1/sagas/{id}/rewind`.
type RewindAction struct {
	To     string          `json:"to" doc:"The step to go back to: it and every step after it are compensated and run again"`
	Patch  json.RawMessage `json:"patch,omitempty" doc:"A JSON merge patch of the data, applied when the saga goes forward again"`
	Reason string          `json:"reason" maxLength:"1000"`
}

// CompensateAction is the body of `POST /v1/sagas/{id}/compensate`.
type CompensateAction struct {
	Step   string `json:"step,omitempty" minLength:"1" doc:"After a late effect: the step to compensate"`
	Reason string `json:"reason" maxLength:"1000"`
}

// ReasonedAction is the body of abandon and acknowledge.
type ReasonedAction struct {
	Reason string `json:"reason" maxLength:"1000"`
}

// OptionalReason is the body of pause and resume. The body may be absent.
type OptionalReason struct {
	Reason string `json:"reason,omitempty" maxLength:"1000"`
}
