package store

import (
	"context"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// plans reads each definition once, for as long as one call works with it.
type plans struct {
	store *Store
	known map[planKey]*saga.Definition
}

type planKey struct {
	name    string
	version int
}

func newPlans(s *Store) *plans { return &plans{store: s, known: make(map[planKey]*saga.Definition)} }

func (p *plans) get(ctx context.Context, name string, version int) (*saga.Definition, error) {
	key := planKey{name, version}
	if d, known := p.known[key]; known {
		return d, nil
	}
	d, err := p.store.Definition(ctx, name, version)
	if err != nil {
		return nil, err
	}
	p.known[key] = d
	return d, nil
}
