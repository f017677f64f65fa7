package api

import (
	"context"
	"errors"

	"github.com/saga-orchestrator/orchestrator/api/diagnose"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

type whyOutput struct {
	Body resource.Why
}

// why gathers the evidence from the database and the broker, and returns the diagnosis.
func (s *service) why(ctx context.Context, input *SagaInput) (*whyOutput, error) {
	id, err := sagaID(input.ID)
	if err != nil {
		return nil, err
	}
	stored, err := s.Reads.Saga(ctx, id)
	if err != nil {
		return nil, err
	}
	in := &stored.Instance
	definition, err := s.definitions.Get(ctx, in.Definition, in.Version)
	if text := defect(stored, definition, err); text != "" {
		if errors.Is(stored.Unreadable, record.ErrPayloadKeys) {
			return &whyOutput{Body: diagnose.ExplainElsewhere(in, text)}, nil
		}
		return &whyOutput{Body: diagnose.ExplainUnread(in, text)}, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := s.Reads.OutboxRows(ctx, id)
	if err != nil {
		return nil, err
	}
	problems, err := s.Reads.QueueProblems(ctx)
	if err != nil {
		return nil, err
	}
	evidence := diagnose.Evidence{
		Definition: definition, Instance: in, Outbox: byCommand(rows),
		Problems: make(map[string]record.QueueProblem, len(problems)), Broker: s.Broker.Ready(), Now: s.Now(),
	}
	database := s.Monitor.known(ctx)["database"]
	evidence.Parked = s.Engine.IsParked(in.ID)
	evidence.NothingStored = database != checkOK && database != checkUnknown
	if err := s.lookAtHeld(ctx, rows, &evidence); err != nil {
		return nil, err
	}
	for _, problem := range problems {
		evidence.Problems[problem.Queue] = problem
	}
	if err := s.lookAtFamily(ctx, &evidence); err != nil {
		return nil, err
	}
	if err := s.lookAtLetters(ctx, &evidence); err != nil {
		return nil, err
	}
	evidence.Queues = s.Monitor.inspection.states(ctx, evidence.QueuesInUse())
	evidence.Undeclared = s.undeclared(evidence.QueuesInUse())
	found := evidence.Explain()
	if !s.seesAll(ctx) {
		redactWhy(&found, definition.Redactor(in))
	}
	return &whyOutput{Body: found}, nil
}

// lookAtHeld adds what holds commands back: the settings of their queues, and the sagas that take the places of a cap.
func (s *service) lookAtHeld(ctx context.Context, rows []record.OutboxRow, evidence *diagnose.Evidence) (err error) {
	for _, row := range rows {
		if !row.HeldBack {
			continue
		}
		if evidence.Settings == nil {
			if evidence.Settings, err = s.queueSettings(ctx); err != nil {
				return err
			}
			evidence.SagasOut = make(map[string][]string)
		}
		if _, known := evidence.SagasOut[row.Queue]; known || evidence.Settings[row.Queue].MaxOut == 0 {
			continue
		}
		if evidence.SagasOut[row.Queue], err = s.Reads.SagasOut(ctx, row.Queue, scopeOf(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// lookAtLetters adds the dead letters of the commands whose replies are awaited.
func (s *service) lookAtLetters(ctx context.Context, evidence *diagnose.Evidence) error {
	published := evidence.Published()
	if len(published) == 0 {
		return nil
	}
	letters, err := s.Reads.CommandLetters(ctx, evidence.Instance.ID, published)
	if err != nil {
		return err
	}
	evidence.Letters = make(map[string]record.DeadLetter, len(letters))
	for _, letter := range letters {
		evidence.Letters[letter.CommandID] = letter
	}
	return nil
}

// undeclared returns why queues could not be declared, as far as this process knows.
func (s *service) undeclared(queues []string) map[string]error {
	broker, is := s.Broker.(interface{ Undeclared(queue string) error })
	if !is {
		return nil
	}
	found := make(map[string]error)
	for _, queue := range queues {
		if err := broker.Undeclared(queue); err != nil {
			found[queue] = err
		}
	}
	return found
}
