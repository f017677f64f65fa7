package demo

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
)

const (
	every = time.Second
	// most limits the orders of a run after the opening: an hour of them, so that a forgotten demo does not fill the disk.
	most = 3600
	// stuckGroup is the number of orders with a bad address that a viewer finds, waiting to be repaired together.
	stuckGroup = 12
)

// Engine starts sagas.
type Engine interface {
	RegisterDefinition(ctx context.Context, def *saga.Definition) (record.RegisteredDefinition, bool, error)
	Start(ctx context.Context, start record.StartRequest) (in saga.Instance, existed bool, err error)
}

// Reads is what the demo reads from the store.
type Reads interface {
	LatestDefinition(ctx context.Context, name string) (record.RegisteredDefinition, error)
	Groups(ctx context.Context, scope record.Scope, definition string) (record.Groups, error)
}

// Config configures a demo. All fields but Logger are required.
type Config struct {
	Engine    Engine
	Reads     Reads
	Transport steps.Transport
	Logger    *slog.Logger // nil: no log
}

// Demo starts orders and works on them. Create it with New, then call Run. Faults and SetFault are safe at any time.
type Demo struct {
	config Config
	faults *faults
}

// New returns a demo without faults.
func New(config Config) *Demo {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	return &Demo{config: config, faults: newFaults()}
}

// Starts reports whether Run starts orders: not if the user has registered another definition with their name.
func (d *Demo) Starts(ctx context.Context) bool {
	kept, err := d.config.Reads.LatestDefinition(ctx, definitionName)
	return err != nil || ours(kept.Definition)
}

// Run registers the definition, starts an order every second for an hour, and works on orders until ctx ends. If the user has
// registered another definition with the name order, Run returns at once.
func (d *Demo) Run(ctx context.Context) {
	if !d.Starts(ctx) {
		d.config.Logger.Warn("the demo does nothing: another definition named order is registered (--fresh deletes it)")
		return
	}
	if _, _, err := d.config.Engine.RegisterDefinition(ctx, Definition()); err != nil {
		d.config.Logger.Warn("registering the definition of the demo failed", "error", err)
		return
	}
	var running sync.WaitGroup
	defer running.Wait()
	work := &workers{faults: d.faults, lost: make(map[string]bool)}
	running.Go(func() { work.run(ctx, d.config.Transport) })
	d.startOrders(ctx)
}

// startOrders starts the opening at once and then an order every second.
func (d *Demo) startOrders(ctx context.Context) {
	began := time.Now()
	number := int(began.Unix() * 10 % 10_000_000) // those of a later run differ
	for _, of := range opening(d.lacking(ctx)) {
		d.start(ctx, number, of)
		number++
	}
	for n := 1; n <= most && wait.For(ctx, every); n++ {
		d.start(ctx, number, kindOf(n))
		number++
	}
	if ctx.Err() == nil {
		d.config.Logger.Info("the demo has started its last order: restart it for more", "orders", most)
	}
}

// lacking returns how many orders with a bad address are missing from the group, which an earlier run may have left.
func (d *Demo) lacking(ctx context.Context) int {
	found, err := d.config.Reads.Groups(ctx, nil, definitionName)
	if err != nil {
		return stuckGroup
	}
	for _, group := range found.Groups {
		if group.Reason == saga.RetriesExhausted && group.ErrorCode == "address_refused" {
			return max(0, stuckGroup-int(group.Sagas))
		}
	}
	return stuckGroup
}

func (d *Demo) start(ctx context.Context, number int, of kind) {
	request, err := start(number, of, time.Now())
	if err == nil {
		_, _, err = d.config.Engine.Start(ctx, request)
	}
	if _, inUse := errors.AsType[*record.KeyInUseError](err); err != nil && !inUse && ctx.Err() == nil {
		d.config.Logger.Warn("starting an order of the demo failed", "error", err)
	}
}
