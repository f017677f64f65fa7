package api

import (
	"context"
	"sync"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// definitionCache caches definitions, whose versions never change.
type definitionCache struct {
	reads Definitions
	mutex sync.RWMutex
	kept  map[definitionKey]*saga.Definition
}

type definitionKey struct {
	name    string
	version int
}

// maxDefinitions bounds the cache; a full cache is cleared.
const maxDefinitions = 1000

func newDefinitionCache(reads Definitions) *definitionCache {
	return &definitionCache{reads: reads, kept: make(map[definitionKey]*saga.Definition)}
}

func (c *definitionCache) get(ctx context.Context, name string, version int) (*saga.Definition, error) {
	key := definitionKey{name: name, version: version}
	c.mutex.RLock()
	definition := c.kept[key]
	c.mutex.RUnlock()
	if definition != nil {
		return definition, nil
	}
	definition, err := c.reads.Definition(ctx, name, version)
	if err != nil {
		return nil, err
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if len(c.kept) >= maxDefinitions {
		clear(c.kept)
	}
	c.kept[key] = definition
	return definition, nil
}

// show returns the saga as the API shows it.
func (s *service) show(ctx context.Context, in saga.Instance) (resource.Saga, error) {
	return s.view(ctx, record.StoredSaga{Instance: in})
}

// saga reads a saga. The error of an unreadable one is record.ErrUnreadable.
func (s *service) saga(ctx context.Context, id string) (saga.Instance, error) {
	found, err := s.Reads.Saga(ctx, id)
	if err != nil {
		return saga.Instance{}, err
	}
	return found.Instance, found.Unreadable
}
