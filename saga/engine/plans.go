package engine

import (
	"context"
	"fmt"
	"sync"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/record"
)

// plans remembers definitions. A registered version never changes, so what it remembers stays true.
type plans struct {
	store Store

	mu    sync.RWMutex
	known map[planMissing]*saga.Definition
}

// planMissing names a version that is not in memory yet. It is an error so that a decision, which does no I/O, can ask
// for it.
type planMissing struct {
	name    string
	version int
}

func (p *planMissing) Error() string {
	return fmt.Sprintf("definition %s version %d is not loaded", p.name, p.version)
}

func newPlans(store Store) *plans {
	return &plans{store: store, known: make(map[planMissing]*saga.Definition)}
}

// get returns a definition from memory, or a *planMissing.
func (p *plans) get(name string, version int) (*saga.Definition, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	wanted := planMissing{name: name, version: version}
	if plan, found := p.known[wanted]; found {
		return plan, nil
	}
	return nil, &wanted
}

// load brings a definition into memory.
func (p *plans) load(ctx context.Context, wanted *planMissing) error {
	plan, err := p.store.Definition(ctx, wanted.name, wanted.version)
	if err != nil {
		return err
	}
	p.put(plan)
	return nil
}

func (p *plans) put(plan *saga.Definition) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.known[planMissing{name: plan.Name, version: plan.Version}] = plan
}

// find returns a version of a definition, the latest if version is 0.
func (p *plans) find(ctx context.Context, name string, version int) (*saga.Definition, error) {
	if version == 0 {
		latest, err := p.store.LatestDefinition(ctx, name)
		if err != nil {
			return nil, err
		}
		p.put(latest.Definition)
		return latest.Definition, nil
	}
	if plan, err := p.get(name, version); err == nil {
		return plan, nil
	}
	if err := p.load(ctx, &planMissing{name: name, version: version}); err != nil {
		return nil, err
	}
	return p.get(name, version)
}

// RegisterDefinition stores a definition, as a new version unless it is the same plan as the latest, and has the queues
// of its commands declared, so that none is lost before its first worker starts.
func (e *Engine) RegisterDefinition(
	ctx context.Context, plan *saga.Definition,
) (registered record.RegisteredDefinition, created bool, err error) {
	registered, created, err = e.config.Store.PutDefinition(ctx, plan)
	if err != nil {
		return record.RegisteredDefinition{}, false, fmt.Errorf("register definition %s: %w", plan.Name, err)
	}
	e.plans.put(registered.Definition)
	if e.config.Queues == nil {
		return registered, created, nil
	}
	if err := e.config.Queues.DeclareQueues(ctx, plan.Queues()); err != nil {
		// The broker is away: it declares what it was asked for when it is back. The definition stands.
		e.config.Logger.Warn("queues are not declared yet", "definition", plan.Name, "error", err)
	}
	return registered, created, nil
}
