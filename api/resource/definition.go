package resource

import (
	"encoding/json"
)

// Definition is one version of a saga definition.
type Definition struct {
	Name        string          `json:"name"`
	Version     int             `json:"version"`
	CreatedAt   Time            `json:"created_at" format:"date-time"`
	Description string          `json:"description,omitempty"`
	Deadline    string          `json:"deadline,omitempty"`
	Steps       json.RawMessage `json:"steps" doc:"The steps, with every default spelled out"`
	Unreadable  Text            `json:"unreadable" nullable:"true" doc:"Why only the name and the version are shown: what is stored cannot be read; null: it can"`
}

// Body is the definition as it can be put again.
func (d Definition) Body() (json.RawMessage, error) {
	body := map[string]any{"steps": d.Steps}
	if d.Description != "" {
		body["description"] = d.Description
	}
	if d.Deadline != "" {
		body["deadline"] = d.Deadline
	}
	return json.Marshal(body)
}

// DefinitionBody is the body of `PUT /v1/definitions/{name}`. It is here for its documentation: the saga package reads
// and writes definitions.
type DefinitionBody struct {
	Description string           `json:"description,omitempty" maxLength:"4096"`
	Deadline    string           `json:"deadline,omitempty" doc:"How long a saga may take before its pivot, such as 24h"`
	Steps       []DefinitionStep `json:"steps" minItems:"1" maxItems:"100"`
}

// DefinitionStep is one step of a DefinitionBody.
type DefinitionStep struct {
	Name                string       `json:"name" pattern:"^[a-z0-9][a-z0-9-]{0,62}$" doc:"Unique in the definition"`
	Command             string       `json:"command" doc:"The command's name: the AMQP type of its message"`
	Compensation        string       `json:"compensation,omitempty" doc:"The compensating command's name; absent: nothing to undo"`
	Queue               string       `json:"queue,omitempty" doc:"The worker queue; absent: the part of command before the first dot"`
	Kind                string       `json:"kind,omitempty" enum:"compensatable,pivot,retriable" doc:"compensatable where absent, before a pivot"`
	After               []string     `json:"after,omitempty" doc:"Steps that must be done first; absent: the step listed before; []: starts at once"`
	Timeout             string       `json:"timeout,omitempty" doc:"How long one attempt may take; 30s where absent"`
	Retry               *RetryPolicy `json:"retry,omitempty"`
	CompensationTimeout string       `json:"compensation_timeout,omitempty" doc:"The same of the compensation; timeout where absent"`
	CompensationRetry   *RetryPolicy `json:"compensation_retry,omitempty"`
}

// RetryPolicy says how often and when a failed attempt is made again.
type RetryPolicy struct {
	MaxAttempts     int      `json:"max_attempts,omitempty" doc:"5; 20 for retriable steps and compensations"`
	InitialInterval string   `json:"initial_interval,omitempty" doc:"1s where absent"`
	Multiplier      float64  `json:"multiplier,omitempty" doc:"2 where absent"`
	MaxInterval     string   `json:"max_interval,omitempty" doc:"1m where absent"`
	Jitter          float64  `json:"jitter,omitempty" doc:"0.2 where absent: the share by which an interval may be longer or shorter"`
	NonRetryable    []string `json:"non_retryable,omitempty" doc:"Error codes that fail the step at once"`
}
