package river

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/saga-orchestrator/orchestrator/bench/system"
)

// job is one command of a saga.
type job struct {
	Command string       `json:"command"`
	Order   system.Order `json:"order"`
}

// Kind returns River's name of the jobs.
func (job) Kind() string { return "saga_command" }

// worker executes jobs. The transaction that completes a job also inserts the next one.
type worker struct {
	river.WorkerDefaults[job]
	chain *chain
}

// Work executes a job.
func (w *worker) Work(ctx context.Context, j *river.Job[job]) error {
	fault := system.Handle(j.Args.Command, j.Args.Order)
	if fault != nil && !errors.Is(fault, system.ErrDeclined) {
		return fault
	}
	next, end := follow(j.Args.Command, fault == nil)
	err := pgx.BeginFunc(ctx, w.chain.pool, func(tx pgx.Tx) error {
		if next != "" {
			if _, err := w.chain.client.InsertTx(ctx, tx, job{Command: next, Order: j.Args.Order}, nil); err != nil {
				return fmt.Errorf("insert the next job: %w", err)
			}
		}
		if _, err := river.JobCompleteTx[*riverpgxv5.Driver](ctx, tx, j); err != nil {
			return fmt.Errorf("complete a job: %w", err)
		}
		return nil
	})
	if err == nil && next == "" {
		w.chain.waiters.Tell(j.Args.Order.ID, end)
	}
	return err
}

// follow returns the command after this one, or the saga's outcome after the last.
func follow(command string, succeeded bool) (next string, end system.End) {
	steps := system.Steps()
	i := slices.IndexFunc(steps, func(s system.Step) bool { return s.Execute == command || s.Compensate == command })
	forward := steps[i].Execute == command && succeeded
	switch {
	case forward && i == len(steps)-1:
		return "", system.Completed
	case forward:
		return steps[i+1].Execute, ""
	case i == 0:
		return "", system.Compensated
	default:
		return steps[i-1].Compensate, ""
	}
}
