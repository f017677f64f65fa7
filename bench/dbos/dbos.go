package dbos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/saga-orchestrator/orchestrator/bench/system"
)

// ending limits how long workflows may continue when the system is closed. By then none are running.
const ending = 5 * time.Second

// Entry returns the system's entry.
func Entry() system.Entry { return system.Entry{Name: "dbos", Open: open} }

type transact struct {
	dbos dbos.Context
	pool *pgxpool.Pool // to count with
}

func open(ctx context.Context, place system.Place) (system.System, error) {
	runtime, err := dbos.NewContext(context.WithoutCancel(ctx), dbos.Config{
		AppName: "bench", DatabaseURL: place.DatabaseURL, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, fmt.Errorf("set up DBOS: %w", err)
	}
	dbos.RegisterWorkflow(runtime, orderSaga)
	if err := dbos.Launch(runtime); err != nil {
		return nil, fmt.Errorf("launch DBOS: %w", err)
	}
	pool, err := system.Pool(ctx, place.DatabaseURL, 1, nil)
	if err != nil {
		return nil, err
	}
	return &transact{dbos: runtime, pool: pool}, nil
}

// orderSaga is the workflow.
func orderSaga(ctx dbos.Context, order system.Order) (system.End, error) {
	var compensations []string
	for _, step := range system.Steps() {
		err := handle(ctx, step.Execute, order)
		if err == nil {
			compensations = append(compensations, step.Compensate)
			continue
		}
		for _, command := range slices.Backward(compensations) {
			if fault := handle(ctx, command, order); fault != nil {
				return "", errors.Join(err, fault)
			}
		}
		return system.Compensated, err
	}
	return system.Completed, nil
}

// handle runs a command as a step of the workflow.
func handle(ctx dbos.Context, command string, order system.Order) error {
	_, err := dbos.RunAsStep(ctx, func(context.Context) (string, error) {
		return "", system.Handle(command, order)
	}, dbos.WithStepName(command))
	return err
}

// Run starts a workflow and waits for its result.
func (t *transact) Run(_ context.Context, order system.Order) (system.End, error) {
	handle, err := dbos.RunWorkflow(t.dbos, orderSaga, order, dbos.WithWorkflowID(order.ID))
	if err != nil {
		return "", fmt.Errorf("start a workflow: %w", err)
	}
	end, err := handle.GetResult()
	switch {
	case errors.Is(err, system.ErrDeclined):
		return system.Compensated, nil
	case err != nil:
		return "", fmt.Errorf("run a workflow: %w", err)
	}
	return end, nil
}

// Ended counts the workflows that succeeded, and those that failed after their last compensation.
func (t *transact) Ended(ctx context.Context) (system.Tally, error) {
	return system.Count(ctx, t.pool, `
		SELECT CASE WHEN status = 'SUCCESS' THEN 'completed' WHEN status = 'ERROR' AND EXISTS (
			SELECT 1 FROM dbos.operation_outputs o WHERE o.workflow_uuid = w.workflow_uuid AND o.function_name = 'inventory.release'
		) THEN 'compensated' ELSE status END, count(*) FROM dbos.workflow_status w GROUP BY 1`)
}

// Close shuts DBOS down.
func (t *transact) Close(context.Context) error {
	t.pool.Close()
	if err := dbos.Shutdown(t.dbos, ending); err != nil {
		return fmt.Errorf("shut down DBOS: %w", err)
	}
	return nil
}
