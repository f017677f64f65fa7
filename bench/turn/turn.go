package turn

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/bench/contender"
	"github.com/saga-orchestrator/orchestrator/internal/measure"
)

// Turn is what one contender is to do.
type Turn struct {
	Entry   contender.Entry
	Place   contender.Place
	Variant contender.Variant
	Load    measure.Load
}

// Run takes the turn. A saga that does not end as it should fails it, and so does a database that knows of other sagas.
func (t Turn) Run(ctx context.Context) (report measure.Report, err error) {
	worker, err := t.startWorker(ctx)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, worker.stop()) }()
	system, err := t.Entry.Open(ctx, t.Place)
	if err != nil {
		return report, fmt.Errorf("open %s: %w", t.Entry.Name, err)
	}
	defer func() { err = errors.Join(err, system.Close(ctx)) }()
	return t.measure(ctx, system, worker)
}

func (t Turn) measure(ctx context.Context, system contender.Contender, worker *worker) (measure.Report, error) {
	none := measure.Report{}
	db, err := pgx.Connect(ctx, t.Place.DatabaseURL)
	if err != nil {
		return none, fmt.Errorf("connect to the database, to measure: %w", err)
	}
	defer db.Close(ctx)
	meter, err := t.meter(ctx, db, worker)
	if err != nil {
		return none, err
	}
	var usage measure.Usage
	t.Load.Begin = meter.Begin
	t.Load.End = func(ctx context.Context) (err error) {
		usage, err = meter.End(ctx)
		return err
	}
	var sagas atomic.Int64
	outcome, err := t.Load.Drive(ctx, func(ctx context.Context, _ int) error {
		sagas.Add(1)
		return t.saga(ctx, system)
	})
	if err := errors.Join(err, outcome.Failure); err != nil {
		return none, fmt.Errorf("make sagas: %w", err)
	}
	tally, err := system.Ended(ctx)
	if err != nil {
		return none, err
	}
	if err := tally.Check(t.Variant, sagas.Load()); err != nil {
		return none, err
	}
	return measure.NewReport(t.Entry.Name, string(t.Variant), t.Load, outcome, usage), nil
}

// saga makes one saga, whose end must be the variant's.
func (t Turn) saga(ctx context.Context, system contender.Contender) error {
	end, err := system.Run(ctx, contender.NewOrder(ulid.Make().String(), t.Variant))
	if err == nil && end != t.Variant.End() {
		return fmt.Errorf("a saga that should be %s is %s", t.Variant.End(), end)
	}
	return err
}
