package api

import (
	"context"
	"errors"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// seesAll reports whether the caller gets the values of sensitive members.
func (s *service) seesAll(ctx context.Context) bool { return s.holds(ctx, record.Operator) }

// protection hides what is sensitive in one saga from a caller.
type protection struct {
	mask   func(data []byte) []byte              // data and patches; nil: nothing is sensitive
	input  func(step string, data []byte) []byte // the data of a command
	output func(step string, data []byte) []byte
	redact func(string) string // texts that may repeat them
}

// protectionOf returns how a viewer sees a saga. Without its definition everything is sensitive.
func (s *service) protectionOf(ctx context.Context, in *saga.Instance) (protection, error) {
	definition, err := s.definitions.Get(ctx, in.Definition, in.Version)
	switch {
	case errors.Is(err, record.ErrUnreadable) || errors.Is(err, record.ErrDefinitionNotFound):
		return protection{
			mask:   func(data []byte) []byte { return saga.MaskAll(data) },
			input:  func(_ string, data []byte) []byte { return saga.MaskAll(data) },
			output: func(_ string, data []byte) []byte { return saga.MaskAll(data) },
			redact: func(string) string { return saga.Masked },
		}, nil
	case err != nil || !definition.Hides(in):
		return protection{}, err
	}
	definition = definition.Within(in)
	return protection{
		mask:   func(data []byte) []byte { return definition.Mask(data) },
		input:  func(step string, data []byte) []byte { return definition.MaskInput(step, data) },
		output: func(step string, data []byte) []byte { return definition.MaskOutput(step, data) },
		redact: definition.Redactor(in),
	}, nil
}

// maskSaga hides what is sensitive in a saga that a viewer gets.
func (s *service) maskSaga(ctx context.Context, in *saga.Instance, shown *resource.Saga) error {
	p, err := s.protectionOf(ctx, in)
	if err != nil || p.mask == nil {
		return err
	}
	shown.Data = p.mask(shown.Data)
	if shown.Failure != nil {
		shown.Failure.Message = p.redact(shown.Failure.Message)
	}
	redactAttention(shown.Attention, p.redact)
	for i := range shown.Steps {
		step := &shown.Steps[i]
		if len(step.Output) > 0 {
			step.Output = p.output(step.Name, step.Output)
		}
		step.Error = redacted(step.Error, p.redact)
	}
	return nil
}

// redacted returns a copy of an error, which belongs to the instance.
func redacted(from *saga.StepError, redact func(string) string) *saga.StepError {
	if from == nil {
		return nil
	}
	return &saga.StepError{Code: from.Code, Message: redact(from.Message)}
}

func redactAttention(attention *resource.Attention, redact func(string) string) {
	if attention != nil {
		attention.Message = redact(attention.Message)
	}
}

// redactWhy hides sensitive values in an explanation; redact nil: there are none.
func redactWhy(why *resource.Why, redact func(string) string) {
	if redact == nil {
		return
	}
	why.Message = redact(why.Message)
	redactAttention(why.Evidence.Attention, redact)
	if step := why.Evidence.Step; step != nil {
		step.Error = redacted(step.Error, redact)
	}
}

// redactEntries hides sensitive values in the entries of a history that a viewer gets.
func (s *service) redactEntries(ctx context.Context, sagaID string, entries []record.Entry) error {
	if s.seesAll(ctx) || len(entries) == 0 {
		return nil
	}
	stored, err := s.Reads.Saga(ctx, sagaID)
	if err != nil {
		return err
	}
	p, err := s.protectionOf(ctx, &stored.Instance)
	if err != nil || p.mask == nil {
		return err
	}
	for i := range entries {
		entries[i].Detail = record.RedactDetail(entries[i].Detail, p.redact)
	}
	return nil
}
