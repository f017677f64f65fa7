package bench

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/saga-orchestrator/orchestrator/steps"
)

// Work handles the commands of the load until ctx ends. It runs one worker per service, with concurrency commands at a time
// each. The handlers do nothing. If one worker fails, Work stops the others and returns its error.
func Work(ctx context.Context, transport steps.Transport, concurrency int, log *slog.Logger) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var working sync.WaitGroup
	for _, s := range services() {
		worker := steps.NewWorker(s.queue(), steps.Config{Concurrency: concurrency, Logger: log})
		steps.Handle(worker, s.command(s.action), handle)
		steps.Handle(worker, s.command(s.compensation), compensate)
		working.Go(func() {
			if err := worker.Run(ctx, transport); err != nil {
				cancel(fmt.Errorf("work on queue %s: %w", s.queue(), err)) // a load needs all three
			}
		})
	}
	working.Wait()
	if cause := context.Cause(ctx); cause != nil && cause != ctx.Err() { //nolint:errorlint // ctx ended: this is not an error
		return cause
	}
	return nil
}

// simulation is the part of a saga's data that the handlers read.
type simulation struct {
	Simulate map[string]string `json:"simulate"` // the error code of each step that must fail
}

func handle(_ context.Context, command steps.Command[simulation]) (steps.None, error) {
	if code := command.Data.Simulate[command.Step]; code != "" {
		return steps.None{}, steps.Fail(code, "as requested by the load")
	}
	return steps.None{}, nil
}

func compensate(context.Context, steps.Command[struct{}]) (steps.None, error) {
	return steps.None{}, nil
}
