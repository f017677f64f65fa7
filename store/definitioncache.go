package store

import (
	"context"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// definitionCache reads each definition once during one call.
type definitionCache struct {
	store *Store
	known map[definitionKey]definitionOrError
}

type definitionKey struct {
	name    string
	version int
}

type definitionOrError struct {
	definition *saga.Definition
	err        error
}

func newDefinitionCache(s *Store) *definitionCache {
	return &definitionCache{store: s, known: make(map[definitionKey]definitionOrError)}
}

func (c *definitionCache) get(ctx context.Context, name string, version int) (*saga.Definition, error) {
	key := definitionKey{name, version}
	found, known := c.known[key]
	if !known {
		found.definition, found.err = c.store.Definition(ctx, name, version)
		c.known[key] = found
	}
	return found.definition, found.err
}
