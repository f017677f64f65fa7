package bench

import (
	"context"
	"fmt"
	"log/slog"
	"sync"

	"github.com/saga-orchestrator/orchestrator/steps"
)

// Work does the commands of the load, which is nothing, until ctx ends: a worker of each service, with so many commands
// at the same time.
func Work(ctx context.Context, transport steps.Transport, concurrency int, log *slog.Logger) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var working sync.WaitGroup
	for _, s := range services() {
		worker := steps.NewWorker(s.queue(), steps.Config{Concurrency: concurrency, Logger: log})
		steps.Handle(worker, s.command(s.do), do)
		steps.Handle(worker, s.command(s.undo), undo)
		working.Go(func() {
			if err := worker.Run(ctx, transport); err != nil {
				cancel(fmt.Errorf("work on queue %s: %w", s.queue(), err)) // the others are no use alone
			}
		})
	}
	working.Wait()
	if cause := context.Cause(ctx); cause != nil && cause != ctx.Err() { //nolint:errorlint // the end that was asked for
		return cause
	}
	return nil
}

// wishes is what a handler wants to know of a saga's data: which steps are to fail, and with which code.
type wishes struct {
	Simulate map[string]string `json:"simulate"`
}

func do(_ context.Context, command steps.Command[wishes]) (steps.None, error) {
	if code := command.Data.Simulate[command.Step]; code != "" {
		return steps.None{}, steps.Fail(code, "as the load asked for")
	}
	return steps.None{}, nil
}

func undo(context.Context, steps.Command[struct{}]) (steps.None, error) { return steps.None{}, nil }
