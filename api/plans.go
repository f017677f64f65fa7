package api

import (
	"context"
	"sync"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// planCache keeps definitions that were read: a version never changes, and every saga is shown with its own.
type planCache struct {
	reads Definitions
	mutex sync.RWMutex
	kept  map[planKey]*saga.Definition
}

type planKey struct {
	name    string
	version int
}

// maxPlans bounds the cache; when it is full it starts anew.
const maxPlans = 1000

func newPlanCache(reads Definitions) *planCache {
	return &planCache{reads: reads, kept: make(map[planKey]*saga.Definition)}
}

func (c *planCache) get(ctx context.Context, name string, version int) (*saga.Definition, error) {
	key := planKey{name: name, version: version}
	c.mutex.RLock()
	plan := c.kept[key]
	c.mutex.RUnlock()
	if plan != nil {
		return plan, nil
	}
	plan, err := c.reads.Definition(ctx, name, version)
	if err != nil {
		return nil, err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if len(c.kept) >= maxPlans {
		clear(c.kept)
	}
	c.kept[key] = plan
	return plan, nil
}

// show is the saga as the outside sees it.
func (s *service) show(ctx context.Context, in saga.Instance) (saga.Snapshot, error) {
	return s.view(ctx, record.StoredSaga{Instance: in})
}

// saga reads a saga that can be read.
func (s *service) saga(ctx context.Context, id string) (saga.Instance, error) {
	found, err := s.Reads.Saga(ctx, id)
	if err != nil {
		return saga.Instance{}, err
	}
	return found.Instance, found.Unreadable
}
