package resource

import "encoding/json"

// MaxDefinitionBytes limits the body with which a definition is registered.
const MaxDefinitionBytes = 1 << 20

// Definition is one version of a saga definition.
type Definition struct {
	Name        string          `json:"name"`
	Version     int             `json:"version"`
	CreatedAt   Time            `json:"created_at" format:"date-time"`
	Description string          `json:"description,omitempty"`
	Deadline    string          `json:"deadline,omitempty"`
	OnFailure   string          `json:"on_failure,omitempty" doc:"park; absent: compensate"`
	Retention   *Retention      `json:"retention,omitempty" doc:"How long finished sagas are kept; absent: as the server is set"`
	Sensitive   []string        `json:"sensitive,omitempty" doc:"JSON pointers into the data whose values viewers, logs and events do not get"`
	DataSchema  json.RawMessage `json:"data_schema,omitempty" doc:"JSON Schema of the data of a start; absent: any object"`
	Steps       json.RawMessage `json:"steps" doc:"The steps with explicit defaults"`
	Disabled    bool            `json:"disabled" doc:"true: starts of every version are refused"`
	Unreadable  Text            `json:"unreadable" nullable:"true" doc:"Reason why the stored definition cannot be read, in which case only its name and version are shown; else null"`
}

// Body returns the definition in the form that PUT accepts.
func (d Definition) Body() (json.RawMessage, error) {
	body := map[string]any{"steps": d.Steps}
	if d.Description != "" {
		body["description"] = d.Description
	}
	if d.Deadline != "" {
		body["deadline"] = d.Deadline
	}
	if d.OnFailure != "" {
		body["on_failure"] = d.OnFailure
	}
	if d.Retention != nil {
		body["retention"] = d.Retention
	}
	if len(d.Sensitive) > 0 {
		body["sensitive"] = d.Sensitive
	}
	if d.DataSchema != nil {
		body["data_schema"] = d.DataSchema
	}
	return json.Marshal(body)
}

// DefinitionBody is the body of `PUT /v1/definitions/{name}`. It only serves the documentation: package saga parses
// definitions.
type DefinitionBody struct {
	Description string           `json:"description,omitempty" maxLength:"4096"`
	Deadline    string           `json:"deadline,omitempty" doc:"Time limit of the part before the pivot, such as 24h"`
	OnFailure   string           `json:"on_failure,omitempty" enum:"compensate,park" doc:"What a final failure before the pivot, or of the pivot, leads to: compensate, or park until an operator decides. Default: compensate"`
	Retention   *Retention       `json:"retention,omitempty" doc:"How long finished sagas are kept. Default: as the server is set"`
	Sensitive   []string         `json:"sensitive,omitempty" maxItems:"100" doc:"JSON pointers into the data, such as /card: viewers, logs and events get *** instead of these values, in outputs and patches, too"`
	DataSchema  json.RawMessage  `json:"data_schema,omitempty" doc:"JSON Schema (2020-12) of the data of a start; absent: any object. It may refer only to itself"`
	Steps       []DefinitionStep `json:"steps" minItems:"1" maxItems:"100"`
}

// Retention is how long the finished sagas of a definition are kept. That of the latest version applies to all.
type Retention struct {
	Completed *RetentionRule `json:"completed,omitempty"`
	Undone    *RetentionRule `json:"undone,omitempty"` // compensated and abandoned sagas
}

// RetentionRule is the retention of one outcome.
type RetentionRule struct {
	Age   string `json:"age,omitempty" doc:"Time since the end after which a saga is deleted, such as 720h or 30d; 0: no limit"`
	Count int    `json:"count,omitempty" minimum:"1" maximum:"1000000" doc:"Number of newest sagas that are kept; absent: no limit"`
}

// DefinitionStep is one step of a DefinitionBody. It has exactly one of command, signal, delay, until and saga.
type DefinitionStep struct {
	Name                string            `json:"name" pattern:"^[a-z0-9][a-z0-9-]{0,62}$" doc:"Unique in the definition"`
	Command             string            `json:"command,omitempty" doc:"The command's name: the AMQP type of its message"`
	Signal              string            `json:"signal,omitempty" doc:"The signal that the step waits for, instead of sending a command"`
	Delay               string            `json:"delay,omitempty" doc:"The time that the step waits, such as 24h, instead of sending a command"`
	Until               string            `json:"until,omitempty" doc:"A JSON pointer to the RFC 3339 time in the data that the step waits for, instead of sending a command"`
	Saga                string            `json:"saga,omitempty" doc:"The definition of a child saga that the step starts, instead of sending a command; its latest version"`
	When                string            `json:"when,omitempty" maxLength:"1024" doc:"A CEL expression over data: if it is false when the step's turn comes, the step is skipped"`
	Input               map[string]string `json:"input,omitempty" doc:"What the step's commands get of the data: names to JSON pointers; absent: all of it"`
	OutputAs            string            `json:"output_as,omitempty" maxLength:"128" doc:"The member of the data that gets the output; absent: its members are merged"`
	OutputSchema        json.RawMessage   `json:"output_schema,omitempty" doc:"JSON Schema (2020-12) of the output; absent: any object"`
	Compensation        string            `json:"compensation,omitempty" doc:"The compensating command's name; absent: the step has none"`
	Queue               string            `json:"queue,omitempty" doc:"The worker queue; absent: the part of command before the first dot"`
	Kind                string            `json:"kind,omitempty" enum:"compensatable,pivot,retriable" doc:"compensatable where absent, before a pivot"`
	After               []string          `json:"after,omitempty" doc:"Steps that must be done first; absent: the previous step in the list; []: starts immediately"`
	Timeout             string            `json:"timeout,omitempty" doc:"Time limit of one attempt; absent: 30s. Of a signal: time limit of the wait; absent: none"`
	Retry               *RetryPolicy      `json:"retry,omitempty"`
	CompensationTimeout string            `json:"compensation_timeout,omitempty" doc:"Time limit of one attempt of the compensation; absent: timeout"`
	CompensationRetry   *RetryPolicy      `json:"compensation_retry,omitempty"`
}

// RetryPolicy determines when a failed attempt is repeated, and how often.
type RetryPolicy struct {
	MaxAttempts     int      `json:"max_attempts,omitempty" doc:"Absent: 5, or 20 for retriable steps and compensations"`
	InitialInterval string   `json:"initial_interval,omitempty" doc:"Absent: 1s"`
	Multiplier      float64  `json:"multiplier,omitempty" doc:"Absent: 2"`
	MaxInterval     string   `json:"max_interval,omitempty" doc:"Absent: 1m"`
	Jitter          float64  `json:"jitter,omitempty" doc:"Fraction by which an interval varies randomly; absent: 0.2"`
	NonRetryable    []string `json:"non_retryable,omitempty" doc:"Error codes that fail the step without a retry"`
}
