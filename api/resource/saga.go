package resource

import (
	"encoding/json"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Saga is the state of a saga. Every member is always present; null stands for "none".
type Saga struct {
	ID             string            `json:"id"`
	Definition     string            `json:"definition"`
	Version        int               `json:"version"`
	Key            Text              `json:"key"`
	Status         saga.Status       `json:"status"`
	Revision       int64             `json:"revision"` // grows by one with each change
	Data           json.RawMessage   `json:"data"`
	Priority       uint8             `json:"priority"`
	Labels         map[string]string `json:"labels"`
	CreatedAt      Time              `json:"created_at"`
	StartAt        *Time             `json:"start_at"`
	UpdatedAt      Time              `json:"updated_at"`
	FinishedAt     *Time             `json:"finished_at"`
	DeadlineAt     *Time             `json:"deadline_at"`
	Failure        *Failure          `json:"failure"`
	Attention      *Attention        `json:"attention"`
	AllowedActions []saga.ActionName `json:"allowed_actions"`
	RewindingTo    Text              `json:"rewinding_to"` // the step to which the saga is being rewound
	Parent         *SagaParent       `json:"parent"`       // the step that started the saga as its child
	Children       []string          `json:"children"`     // ids of the sagas that its steps have started
	Steps          []SagaStep        `json:"steps"`
	// Unreadable is the reason why only a part of the saga is shown: the orchestrator cannot read the stored state.
	Unreadable Text `json:"unreadable"`
}

// SagaParent names the step that started a saga.
type SagaParent struct {
	Saga string `json:"saga"`
	Step string `json:"step"`
}

// SagaStep is the state of one step of a Saga.
type SagaStep struct {
	Name                 string          `json:"name"`
	Status               saga.StepStatus `json:"status"`
	Kind                 saga.Kind       `json:"kind"`
	Queue                Text            `json:"queue"`
	Command              Text            `json:"command"`
	Compensation         Text            `json:"compensation"`
	Attempts             int             `json:"attempts"`
	CompensationAttempts int             `json:"compensation_attempts"`
	StartedAt            *Time           `json:"started_at"`
	FinishedAt           *Time           `json:"finished_at"`
	NextAttemptAt        *Time           `json:"next_attempt_at"`
	DeadlineAt           *Time           `json:"deadline_at"`
	WaitsFor             *WaitsFor       `json:"waits_for"` // of a step that waits instead of sending a command
	OutputAs             Text            `json:"output_as"` // the member of the data that gets the output; null: its members are merged
	Output               json.RawMessage `json:"output"`
	Error                *saga.StepError `json:"error"`
}

// WaitsFor is what a step waits for: exactly one member is set.
type WaitsFor struct {
	Signal Text           `json:"signal"`
	Delay  *saga.Duration `json:"delay"`
	Until  Text           `json:"until"` // a JSON pointer into the data
	Saga   Text           `json:"saga"`  // the definition of a child
}

func waitsFor(step *saga.Step) *WaitsFor {
	switch step.Wait() {
	case saga.WaitForSignal:
		return &WaitsFor{Signal: Text(step.Signal)}
	case saga.WaitDelay:
		return &WaitsFor{Delay: &step.Delay}
	case saga.WaitUntil:
		return &WaitsFor{Until: Text(step.Until)}
	case saga.WaitForChild:
		return &WaitsFor{Saga: Text(step.Saga)}
	default:
		return nil
	}
}

// DeadlineOf returns the end of the attempt or the wait of a step; nil: it has none.
func DeadlineOf(step *saga.Step, state *saga.StepState) *Time {
	if state.Waiting == saga.WaitForChild || state.Waiting == saga.WaitForSignal && step.Timeout == 0 {
		return nil
	}
	return OptionalTime(state.DeadlineAt)
}

// Failure is the reason why a saga compensates. Step is empty if the reason is not a step, such as a deadline.
type Failure struct {
	Step    Text   `json:"step"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Attention is the reason why a saga needs an operator. Step is empty if the reason does not concern a single step.
type Attention struct {
	Reason  saga.AttentionReason `json:"reason"`
	Since   Time                 `json:"since"`
	Step    Text                 `json:"step"`
	Message string               `json:"message"`
}

// SagaOf returns the state of an instance of the definition.
func SagaOf(def *saga.Definition, in *saga.Instance) Saga {
	shown := SagaWithoutDefinition(in)
	shown.AllowedActions = append(shown.AllowedActions, def.AllowedActions(in)...)
	if in.Failure != nil {
		shown.Failure = &Failure{Step: Text(in.Failure.Step), Code: in.Failure.Code, Message: in.Failure.Message}
	}
	for i := range in.Steps {
		step, state := &def.Steps[i], &in.Steps[i]
		shown.Steps[i] = SagaStep{
			Name: state.Name, Status: state.Status, Kind: step.Kind, Queue: Text(step.Queue),
			Command: Text(step.Command), WaitsFor: waitsFor(step), OutputAs: Text(step.OutputAs), Compensation: Text(step.Compensation),
			Attempts: state.Attempts, CompensationAttempts: state.CompensationAttempts,
			StartedAt: OptionalTime(state.StartedAt), FinishedAt: OptionalTime(state.FinishedAt),
			NextAttemptAt: OptionalTime(state.NextAttemptAt), DeadlineAt: DeadlineOf(step, state),
			Output: state.Output, Error: state.Error,
		}
	}
	return shown
}

// SagaWithoutDefinition returns what an instance alone shows: its steps have only a name and a status, it has no failure
// and no allowed actions.
func SagaWithoutDefinition(in *saga.Instance) Saga {
	shown := Saga{
		ID: in.ID, Definition: in.Definition, Version: in.Version, Key: Text(in.Key),
		Status: in.Status, Revision: in.Revision, Data: in.Data, Priority: in.Priority, Labels: in.Labels,
		CreatedAt: Time{in.CreatedAt}, StartAt: OptionalTime(in.StartAt), UpdatedAt: Time{in.UpdatedAt},
		FinishedAt: OptionalTime(in.FinishedAt), DeadlineAt: OptionalTime(in.DeadlineAt),
		Attention: AttentionOf(in.Attention), AllowedActions: []saga.ActionName{}, Steps: make([]SagaStep, len(in.Steps)),
	}
	if in.Parent != nil {
		shown.Parent = &SagaParent{Saga: in.Parent.Saga, Step: in.Parent.Step}
	}
	shown.Children = []string{}
	for i := range in.Steps {
		shown.Children = append(shown.Children, in.Steps[i].Children...)
	}
	if in.Rewind != nil {
		shown.RewindingTo = Text(in.Rewind.To)
	}
	if shown.Labels == nil {
		shown.Labels = map[string]string{}
	}
	for i := range in.Steps {
		shown.Steps[i] = SagaStep{Name: in.Steps[i].Name, Status: in.Steps[i].Status}
	}
	return shown
}

// AttentionOf returns nil if the attention is nil.
func AttentionOf(a *saga.Attention) *Attention {
	if a == nil {
		return nil
	}
	return &Attention{Reason: a.Reason, Since: Time{a.Since}, Step: Text(a.Step), Message: a.Message}
}
