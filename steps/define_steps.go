package steps

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Step adds a compensatable step after the one added before it, unless saga.After or saga.AtOnce say otherwise. compensate
// is nil if there is nothing to compensate.
func (s *Saga[T]) Step(name string, execute, compensate func(context.Context, *T) error, options ...saga.StepOption) *Saga[T] {
	return s.add(saga.Compensatable, name, plain(execute), plain(compensate), options)
}

// Pivot adds the step whose success commits the saga.
func (s *Saga[T]) Pivot(name string, execute func(context.Context, *T) error, options ...saga.StepOption) *Saga[T] {
	return s.add(saga.Pivot, name, plain(execute), nil, options)
}

// Retriable adds a step that must finally succeed and is never compensated.
func (s *Saga[T]) Retriable(name string, execute func(context.Context, *T) error, options ...saga.StepOption) *Saga[T] {
	return s.add(saga.Retriable, name, plain(execute), nil, options)
}

// StepTx is Step behind a Barrier, which Serve gets by WithBarrier. See HandleTx.
func (s *Saga[T]) StepTx(name string, execute, compensate func(context.Context, pgx.Tx, *T) error, options ...saga.StepOption) *Saga[T] {
	return s.add(saga.Compensatable, name, inTx(execute), inTx(compensate), options)
}

// PivotTx is Pivot behind a Barrier.
func (s *Saga[T]) PivotTx(name string, execute func(context.Context, pgx.Tx, *T) error, options ...saga.StepOption) *Saga[T] {
	return s.add(saga.Pivot, name, inTx(execute), nil, options)
}

// RetriableTx is Retriable behind a Barrier.
func (s *Saga[T]) RetriableTx(name string, execute func(context.Context, pgx.Tx, *T) error, options ...saga.StepOption) *Saga[T] {
	return s.add(saga.Retriable, name, inTx(execute), nil, options)
}

// StepSQL is Step behind an SQLBarrier, which Serve gets by WithSQLBarrier. See HandleSQL.
func (s *Saga[T]) StepSQL(name string, execute, compensate func(context.Context, SQLTx, *T) error, options ...saga.StepOption) *Saga[T] {
	return s.add(saga.Compensatable, name, inSQL(execute), inSQL(compensate), options)
}

// PivotSQL is Pivot behind an SQLBarrier.
func (s *Saga[T]) PivotSQL(name string, execute func(context.Context, SQLTx, *T) error, options ...saga.StepOption) *Saga[T] {
	return s.add(saga.Pivot, name, inSQL(execute), nil, options)
}

// RetriableSQL is Retriable behind an SQLBarrier.
func (s *Saga[T]) RetriableSQL(name string, execute func(context.Context, SQLTx, *T) error, options ...saga.StepOption) *Saga[T] {
	return s.add(saga.Retriable, name, inSQL(execute), nil, options)
}

// WaitForSignal adds a step that waits until the signal is given (client.Signal). The signal's output is merged into the
// data, under one member with saga.OutputAs. saga.Timeout limits the wait.
func (s *Saga[T]) WaitForSignal(name, signal string, options ...saga.StepOption) *Saga[T] {
	s.builder.WaitForSignal(name, signal, options...)
	return s.waits(name)
}

// Delay adds a step that succeeds after a time.
func (s *Saga[T]) Delay(name string, wait time.Duration, options ...saga.StepOption) *Saga[T] {
	s.builder.Delay(name, wait, options...)
	return s.waits(name)
}

// Child adds a step that starts a saga of the named definition, and waits for it. The child's data is merged into the data,
// under one member with saga.OutputAs. The step is compensated by compensating the child.
func (s *Saga[T]) Child(name, definition string, options ...saga.StepOption) *Saga[T] {
	s.builder.Child(name, definition, options...)
	return s.waits(name)
}

// WaitUntil adds a step that succeeds at the RFC 3339 time that the data has at the JSON pointer.
func (s *Saga[T]) WaitUntil(name string, pointer saga.Pointer, options ...saga.StepOption) *Saga[T] {
	s.builder.WaitUntil(name, pointer, options...)
	return s.waits(name)
}

func (s *Saga[T]) waits(name string) *Saga[T] {
	s.steps = append(s.steps, stepFunctions[T]{name: name, wait: true})
	return s
}

func (s *Saga[T]) add(kind saga.Kind, name string, execute, compensate *function[T], options []saga.StepOption) *Saga[T] {
	s.steps = append(s.steps, stepFunctions[T]{name: name, execute: execute, compensate: compensate})
	if compensate != nil {
		options = append([]saga.StepOption{saga.CompensatedBy(s.command(name) + ".compensate")}, options...)
	}
	switch kind {
	case saga.Pivot:
		s.builder.Pivot(name, s.command(name), options...)
	case saga.Retriable:
		s.builder.Retriable(name, s.command(name), options...)
	default:
		s.builder.Step(name, s.command(name), options...)
	}
	return s
}

func plain[T any](call func(context.Context, *T) error) *function[T] {
	if call == nil {
		return nil
	}
	return &function[T]{plain: call}
}

func inTx[T any](call func(context.Context, pgx.Tx, *T) error) *function[T] {
	if call == nil {
		return nil
	}
	return &function[T]{inTx: call}
}

func inSQL[T any](call func(context.Context, SQLTx, *T) error) *function[T] {
	if call == nil {
		return nil
	}
	return &function[T]{inSQL: call}
}
