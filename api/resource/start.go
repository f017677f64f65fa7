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
	Key        string            `json:"key,omitempty" maxLength:"128" doc:"Business key: in use by at most one unfinished saga of the definition"`
	Data       json.RawMessage   `json:"data,omitempty" doc:"A JSON object: the saga's own data, that commands carry; absent: {}"`
	Priority   uint8             `json:"priority,omitempty" maximum:"9" doc:"Priority of the saga's commands in their queues"`
	Labels     map[string]string `json:"labels,omitempty" doc:"At most 32, to find sagas by"`
	StartAt    time.Time         `json:"start_at,omitzero" doc:"When to start; absent or past: at once"`
	Deadline   saga.Duration     `json:"deadline,omitzero" doc:"How long the saga may take before its pivot, such as 24h; before the definition's"`
}

// RetryAction is the body of `POST /v1/sagas/{id}/retry`.
type RetryAction struct {
	Step   string `json:"step,omitempty" doc:"The used-up step; absent: all that are"`
	Reason string `json:"reason,omitempty" maxLength:"1000"`
}

// SkipAction is the body of `POST /v1/sagas/{id}/skip`.
type SkipAction struct {
	Step   string          `json:"step" doc:"The used-up step or compensation that counts as done"`
	Output json.RawMessage `json:"output,omitempty" doc:"A JSON object that is merged into the saga's data, as the step's output would be"`
	Reason string          `json:"reason" maxLength:"1000"`
}

// CompensateAction is the body of `POST /v1/sagas/{id}/compensate`.
type CompensateAction struct {
	Step   string `json:"step,omitempty" doc:"With a late effect: the step to undo"`
	Reason string `json:"reason" maxLength:"1000"`
}

// ReasonedAction is the body of the actions that need a reason and nothing else: abandon and acknowledge.
type ReasonedAction struct {
	Reason string `json:"reason" maxLength:"1000"`
}

// OptionalReason is the body of pause and resume; it may be absent altogether.
type OptionalReason struct {
	Reason string `json:"reason,omitempty" maxLength:"1000"`
}
