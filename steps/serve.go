package steps

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// ServeOption is an option of Saga.Serve and Saga.Attach. A nil option is ignored.
type ServeOption func(*serving)

type serving struct {
	only       []string
	config     Config
	barrier    *Barrier
	sqlBarrier *SQLBarrier

	middlewares []Middleware
}

// Only limits Serve to some queues: the steps of one service.
func Only(queues ...string) ServeOption {
	return func(s *serving) { s.only = append(s.only, queues...) }
}

// WithConfig configures each worker.
func WithConfig(config Config) ServeOption { return func(s *serving) { s.config = config } }

// WithBarrier gives the barrier of the steps that take a pgx.Tx.
func WithBarrier(barrier *Barrier) ServeOption { return func(s *serving) { s.barrier = barrier } }

// WithSQLBarrier gives the barrier of the steps that take an SQLTx.
func WithSQLBarrier(barrier *SQLBarrier) ServeOption {
	return func(s *serving) { s.sqlBarrier = barrier }
}

// Serve runs a worker for each queue of the saga until ctx ends, as Worker.Run does. It returns an error at once if
// transport or a middleware is nil, if a queue of Only has no function, or if a function needs a barrier that was not given. If one worker fails, the others stop.
//
// A queue that two sagas share needs one worker with the functions of both: use Attach.
func (s *Saga[T]) Serve(ctx context.Context, transport Transport, options ...ServeOption) error {
	if transport == nil {
		return fmt.Errorf("serve saga %s: %w", s.name, errNoTransport)
	}
	definition, served, err := s.prepare(options)
	if err != nil {
		return err
	}
	queues, err := s.queues(definition, served.only)
	if err != nil {
		return err
	}
	workers := make([]*Worker, len(queues))
	for i, queue := range queues {
		workers[i] = NewWorker(queue, served.config)
		if err := s.attach(definition, workers[i], served); err != nil {
			return err
		}
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	failures := make([]error, len(workers))
	var work sync.WaitGroup
	for i, worker := range workers {
		work.Go(func() {
			if failures[i] = worker.Run(running, transport); failures[i] != nil {
				stop()
			}
		})
	}
	work.Wait()
	return errors.Join(failures...)
}

// Queues returns the worker queues of the steps that have a function, in the order of the steps.
func (s *Saga[T]) Queues() ([]string, error) {
	definition, err := s.Build()
	if err != nil {
		return nil, err
	}
	return s.queues(definition, nil)
}

// Attach registers the functions of the worker's queue with a worker that has other handlers, too. Like Handle it panics if
// the worker already has a handler of one of the commands.
func (s *Saga[T]) Attach(worker *Worker, options ...ServeOption) error {
	if worker == nil {
		return fmt.Errorf("attach saga %s: %w", s.name, errNoWorker)
	}
	definition, served, err := s.prepare(options)
	if err != nil {
		return err
	}
	if _, err := s.queues(definition, []string{worker.queue}); err != nil {
		return err
	}
	return s.attach(definition, worker, served)
}

// prepare returns the definition, and what the options say.
func (s *Saga[T]) prepare(options []ServeOption) (definition *saga.Definition, served serving, err error) {
	for _, option := range options {
		if option != nil {
			option(&served)
		}
	}
	if slices.ContainsFunc(served.middlewares, func(m Middleware) bool { return m == nil }) {
		return nil, served, fmt.Errorf("saga %s: %w", s.name, errNoMiddleware)
	}
	definition, err = s.Build()
	return definition, served, err
}

// queues returns the queues of the steps with a function, or those of them that were asked for.
func (s *Saga[T]) queues(definition *saga.Definition, only []string) (queues []string, err error) {
	for i := range definition.Steps {
		step := &definition.Steps[i]
		if len(s.commandsOf(i, step)) > 0 && !slices.Contains(queues, step.Queue) {
			queues = append(queues, step.Queue)
		}
	}
	for _, queue := range only {
		if !slices.Contains(queues, queue) {
			return nil, fmt.Errorf("saga %s has no functions for the queue %s; its queues are %s", s.name, queue, strings.Join(queues, ", "))
		}
	}
	if len(only) > 0 {
		return slices.Compact(slices.Sorted(slices.Values(only))), nil
	}
	return queues, nil
}

func (s *Saga[T]) attach(definition *saga.Definition, worker *Worker, served serving) error {
	for i := range definition.Steps {
		step := &definition.Steps[i]
		if step.Queue != worker.queue {
			continue
		}
		for _, command := range s.commandsOf(i, step) {
			if err := command.register(worker, served, step.OutputAs); err != nil {
				return fmt.Errorf("saga %s, step %s: %w", s.name, step.Name, err)
			}
		}
	}
	return nil
}

// register registers the function as the handler of its command.
func (n named[T]) register(worker *Worker, served serving, outputAs string) error {
	decoder := decoderOf(reflect.TypeFor[T]())
	invoked := func(ctx context.Context, command Command[json.RawMessage], call func(context.Context, *T) error) (json.RawMessage, error) {
		return served.around(ctx, command, func(ctx context.Context) (json.RawMessage, error) {
			return invoke(ctx, command, decoder, outputAs, call)
		})
	}
	switch {
	case n.call.plain != nil:
		Handle(worker, n.name, func(ctx context.Context, command Command[json.RawMessage]) (json.RawMessage, error) {
			return invoked(ctx, command, n.call.plain)
		})
	case n.call.inTx != nil && served.barrier == nil:
		return errors.New("its function takes a pgx.Tx: Serve needs WithBarrier")
	case n.call.inTx != nil:
		HandleTx(worker, served.barrier, n.name, func(ctx context.Context, tx pgx.Tx, command Command[json.RawMessage]) (json.RawMessage, error) {
			return rolledBack(invoked(ctx, command, func(ctx context.Context, data *T) error { return n.call.inTx(ctx, tx, data) }))
		})
	case served.sqlBarrier == nil:
		return errors.New("its function takes an SQLTx: Serve needs WithSQLBarrier")
	default:
		HandleSQL(worker, served.sqlBarrier, n.name, func(ctx context.Context, tx SQLTx, command Command[json.RawMessage]) (json.RawMessage, error) {
			return rolledBack(invoked(ctx, command, func(ctx context.Context, data *T) error { return n.call.inSQL(ctx, tx, data) }))
		})
	}
	return nil
}

// rolledBack makes an output that cannot be sent final: the barrier rolls the work back.
func rolledBack(output json.RawMessage, err error) (json.RawMessage, error) {
	if errors.Is(err, errOutput) {
		err = Fail(CodeInvalidOutput, err.Error())
	}
	return output, err
}
