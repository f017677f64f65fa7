package resource

import "github.com/saga-orchestrator/orchestrator/saga"

// AppendJSON returns the JSON of the saga, as encoding/json encodes it. Every start answers with a saga, and encoding/json
// takes four times as long, because it reflects on each member and parses the data and the outputs again.
func (s Saga) AppendJSON() ([]byte, error) {
	size := 1024 + 512*len(s.Steps) + len(s.Data)
	for i := range s.Steps {
		size += len(s.Steps[i].Output)
	}
	o := object{text: make([]byte, 0, size)}
	s.appendTo(&o)
	return o.text, o.err
}

// appendTo appends the members in the order of the type.
func (s *Saga) appendTo(o *object) {
	o.begin()
	o.string("id", s.ID)
	o.string("definition", s.Definition)
	o.integer("version", int64(s.Version))
	o.optional("key", s.Key)
	o.string("status", string(s.Status))
	o.integer("revision", s.Revision)
	o.document("data", s.Data)
	o.integer("priority", int64(s.Priority))
	o.labels(s.Labels)
	o.time("created_at", &s.CreatedAt)
	o.time("start_at", s.StartAt)
	o.time("updated_at", &s.UpdatedAt)
	o.time("finished_at", s.FinishedAt)
	o.time("deadline_at", s.DeadlineAt)
	o.rare("failure", s.Failure == nil, s.Failure)
	o.rare("attention", s.Attention == nil, s.Attention)
	list(o, "allowed_actions", s.AllowedActions, func(action saga.ActionName) { o.quote(string(action)) })
	o.optional("rewinding_to", s.RewindingTo)
	o.rare("parent", s.Parent == nil, s.Parent)
	list(o, "children", s.Children, o.quote)
	list(o, "steps", s.Steps, func(step SagaStep) { step.appendTo(o) })
	o.optional("unreadable", s.Unreadable)
	o.end()
}

func (s *SagaStep) appendTo(o *object) {
	o.begin()
	o.string("name", s.Name)
	o.string("status", string(s.Status))
	o.string("kind", string(s.Kind))
	o.optional("queue", s.Queue)
	o.optional("command", s.Command)
	o.optional("compensation", s.Compensation)
	o.integer("attempts", int64(s.Attempts))
	o.integer("compensation_attempts", int64(s.CompensationAttempts))
	o.time("started_at", s.StartedAt)
	o.time("finished_at", s.FinishedAt)
	o.time("next_attempt_at", s.NextAttemptAt)
	o.time("deadline_at", s.DeadlineAt)
	o.rare("waits_for", s.WaitsFor == nil, s.WaitsFor)
	o.optional("output_as", s.OutputAs)
	o.document("output", s.Output)
	o.rare("error", s.Error == nil, s.Error)
	o.end()
}
