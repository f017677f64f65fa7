package run

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/bench/system"
	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
)

// Run defines the run of one system.
type Run struct {
	Entry   system.Entry
	Place   system.Place
	Variant system.Variant
	Payload int // additional bytes of data per saga
	Load    loadtest.Load
}

// Run puts the load on the system and measures it. It returns an error if a saga does not end as expected, or if the
// database holds other sagas than those that ran.
func (r Run) Run(ctx context.Context) (report loadtest.Report, err error) {
	worker, err := r.startWorker(ctx)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, worker.stop()) }()
	opened, err := r.Entry.Open(ctx, r.Place)
	if err != nil {
		return report, fmt.Errorf("open %s: %w", r.Entry.Name, err)
	}
	defer func() { err = errors.Join(err, opened.Close(ctx)) }()
	return r.measure(ctx, opened, worker)
}

func (r Run) measure(ctx context.Context, opened system.System, worker *worker) (loadtest.Report, error) {
	none := loadtest.Report{}
	db, err := pgx.Connect(ctx, r.Place.DatabaseURL)
	if err != nil {
		return none, fmt.Errorf("connect to the database to measure it: %w", err)
	}
	defer db.Close(ctx)
	meter, err := r.meter(ctx, db, worker)
	if err != nil {
		return none, err
	}
	var usage loadtest.Usage
	r.Load.Begin = meter.Begin
	r.Load.End = func(ctx context.Context) (err error) {
		usage, err = meter.End(ctx)
		return err
	}
	var sagas atomic.Int64
	outcome, err := r.Load.Drive(ctx, func(ctx context.Context, _ int) error {
		sagas.Add(1)
		return r.saga(ctx, opened)
	})
	if err := errors.Join(err, outcome.Failure); err != nil {
		return none, fmt.Errorf("run sagas: %w", err)
	}
	tally, err := opened.Ended(ctx)
	if err != nil {
		return none, err
	}
	if err := tally.Check(r.Variant, sagas.Load()); err != nil {
		return none, err
	}
	return loadtest.NewReport(r.Entry.Name, string(r.Variant), r.Load, outcome, usage), nil
}

// saga runs one saga and checks that it ends as the variant requires.
func (r Run) saga(ctx context.Context, opened system.System) error {
	end, err := opened.Run(ctx, system.NewOrder(ulid.Make().String(), r.Variant, r.Payload))
	if err == nil && end != r.Variant.End() {
		return fmt.Errorf("a saga that should be %s is %s", r.Variant.End(), end)
	}
	return err
}
