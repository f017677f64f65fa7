package saga

import (
	"encoding/json"
	"time"
)

// Snapshot is an instance as people and programs outside see it: the saga of the REST API.
type Snapshot struct {
	ID             string            `json:"id"`
	Definition     string            `json:"definition"`
	Version        int               `json:"version"`
	Key            string            `json:"key,omitempty"`
	Status         Status            `json:"status"`
	Revision       int64             `json:"revision"`
	Data           json.RawMessage   `json:"data"`
	Priority       uint8             `json:"priority"`
	Labels         map[string]string `json:"labels"`
	CreatedAt      time.Time         `json:"created_at"`
	StartAt        *time.Time        `json:"start_at"`
	UpdatedAt      time.Time         `json:"updated_at"`
	FinishedAt     *time.Time        `json:"finished_at"`
	DeadlineAt     *time.Time        `json:"deadline_at"`
	Failure        *Failure          `json:"failure"`
	Attention      *Attention        `json:"attention"`
	AllowedActions []ActionName      `json:"allowed_actions"`
	Steps          []StepSnapshot    `json:"steps"`
}

// StepSnapshot is one step of a Snapshot.
type StepSnapshot struct {
	Name                 string          `json:"name"`
	Status               StepStatus      `json:"status"`
	Kind                 Kind            `json:"kind"`
	Queue                string          `json:"queue"`
	Command              string          `json:"command"`
	Compensation         string          `json:"compensation,omitempty"`
	Attempts             int             `json:"attempts"`
	CompensationAttempts int             `json:"compensation_attempts"`
	StartedAt            *time.Time      `json:"started_at"`
	FinishedAt           *time.Time      `json:"finished_at"`
	NextAttemptAt        *time.Time      `json:"next_attempt_at"`
	DeadlineAt           *time.Time      `json:"deadline_at"`
	Output               json.RawMessage `json:"output"`
	Error                *StepError      `json:"error"`
}

// Snapshot shows the instance with what its definition knows of it. The instance must be of this definition.
func (d *Definition) Snapshot(in *Instance) Snapshot {
	shown := Snapshot{
		ID: in.ID, Definition: in.Definition, Version: in.Version, Key: in.Key,
		Status: in.Status, Revision: in.Revision, Data: in.Data, Priority: in.Priority, Labels: in.Labels,
		CreatedAt: in.CreatedAt, StartAt: optional(in.StartAt), UpdatedAt: in.UpdatedAt,
		FinishedAt: optional(in.FinishedAt), DeadlineAt: optional(in.DeadlineAt),
		Failure: in.Failure, Attention: in.Attention, AllowedActions: d.AllowedActions(in),
		Steps: make([]StepSnapshot, len(in.Steps)),
	}
	if shown.Labels == nil {
		shown.Labels = map[string]string{}
	}
	if shown.AllowedActions == nil {
		shown.AllowedActions = []ActionName{}
	}
	for i := range in.Steps {
		plan, state := &d.Steps[i], &in.Steps[i]
		shown.Steps[i] = StepSnapshot{
			Name: state.Name, Status: state.Status, Kind: plan.Kind, Queue: plan.Queue,
			Command: plan.Command, Compensation: plan.Compensation,
			Attempts: state.Attempts, CompensationAttempts: state.CompensationAttempts,
			StartedAt: optional(state.StartedAt), FinishedAt: optional(state.FinishedAt),
			NextAttemptAt: optional(state.NextAttemptAt), DeadlineAt: optional(state.DeadlineAt),
			Output: state.Output, Error: state.Error,
		}
	}
	return shown
}

// optional is nil for the zero time, which stands for "none" inside the core and for null outside.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
