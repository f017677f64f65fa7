package saga

import "encoding/json"

// Snapshot is an instance as people and programs outside see it: the saga of the REST API.
type Snapshot struct {
	ID             string             `json:"id"`
	Definition     string             `json:"definition"`
	Version        int                `json:"version"`
	Key            Text               `json:"key"`
	Status         Status             `json:"status"`
	Revision       int64              `json:"revision"`
	Data           json.RawMessage    `json:"data"`
	Priority       uint8              `json:"priority"`
	Labels         map[string]string  `json:"labels"`
	CreatedAt      Time               `json:"created_at"`
	StartAt        *Time              `json:"start_at"`
	UpdatedAt      Time               `json:"updated_at"`
	FinishedAt     *Time              `json:"finished_at"`
	DeadlineAt     *Time              `json:"deadline_at"`
	Failure        *FailureSnapshot   `json:"failure"`
	Attention      *AttentionSnapshot `json:"attention"`
	AllowedActions []ActionName       `json:"allowed_actions"`
	Steps          []StepSnapshot     `json:"steps"`
	// Unreadable is why the saga is shown with what is known of it only: what is stored cannot be read.
	Unreadable Text `json:"unreadable"`
}

// StepSnapshot is one step of a Snapshot.
type StepSnapshot struct {
	Name                 string          `json:"name"`
	Status               StepStatus      `json:"status"`
	Kind                 Kind            `json:"kind"`
	Queue                string          `json:"queue"`
	Command              string          `json:"command"`
	Compensation         Text            `json:"compensation"`
	Attempts             int             `json:"attempts"`
	CompensationAttempts int             `json:"compensation_attempts"`
	StartedAt            *Time           `json:"started_at"`
	FinishedAt           *Time           `json:"finished_at"`
	NextAttemptAt        *Time           `json:"next_attempt_at"`
	DeadlineAt           *Time           `json:"deadline_at"`
	Output               json.RawMessage `json:"output"`
	Error                *StepError      `json:"error"`
}

// FailureSnapshot is why the saga of a Snapshot went back. Step is the one that decided it, if it was a step.
type FailureSnapshot struct {
	Step    Text   `json:"step"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// AttentionSnapshot is why the saga of a Snapshot needs a person. Step is the one that it is about, if it is about one.
type AttentionSnapshot struct {
	Reason  AttentionReason `json:"reason"`
	Since   Time            `json:"since"`
	Step    Text            `json:"step"`
	Message string          `json:"message"`
}

// Snapshot shows the instance with what its definition knows of it. The instance must be of this definition.
func (d *Definition) Snapshot(in *Instance) Snapshot {
	shown := Snapshot{
		ID: in.ID, Definition: in.Definition, Version: in.Version, Key: Text(in.Key),
		Status: in.Status, Revision: in.Revision, Data: in.Data, Priority: in.Priority, Labels: in.Labels,
		CreatedAt: Time{in.CreatedAt}, StartAt: optional(in.StartAt), UpdatedAt: Time{in.UpdatedAt},
		FinishedAt: optional(in.FinishedAt), DeadlineAt: optional(in.DeadlineAt),
		Failure: in.Failure.snapshot(), Attention: in.Attention.Snapshot(), AllowedActions: d.AllowedActions(in),
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
			Command: plan.Command, Compensation: Text(plan.Compensation),
			Attempts: state.Attempts, CompensationAttempts: state.CompensationAttempts,
			StartedAt: optional(state.StartedAt), FinishedAt: optional(state.FinishedAt),
			NextAttemptAt: optional(state.NextAttemptAt), DeadlineAt: optional(state.DeadlineAt),
			Output: state.Output, Error: state.Error,
		}
	}
	return shown
}

func (f *Failure) snapshot() *FailureSnapshot {
	if f == nil {
		return nil
	}
	return &FailureSnapshot{Step: Text(f.Step), Code: f.Code, Message: f.Message}
}

// Snapshot shows the attention, if there is one.
func (a *Attention) Snapshot() *AttentionSnapshot {
	if a == nil {
		return nil
	}
	return &AttentionSnapshot{Reason: a.Reason, Since: Time{a.Since}, Step: Text(a.Step), Message: a.Message}
}
