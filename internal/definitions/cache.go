// Package definitions caches registered definitions.
package definitions

import (
	"context"
	"sync"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Read reads one registered version of a definition.
type Read func(ctx context.Context, name string, version int) (*saga.Definition, error)

// Version names one registered version of a definition.
type Version struct {
	Name   string
	Number int
}

// Cache caches definitions. A registered version never changes, so an entry stays valid. It is safe for concurrent use.
type Cache struct {
	read   Read
	limit  int
	errors bool

	mu      sync.RWMutex
	entries map[Version]entry
}

type entry struct {
	definition *saga.Definition
	err        error
}

// NewCache returns a cache of at most limit definitions; a full cache is cleared. 0 means no limit.
func NewCache(read Read, limit int) *Cache {
	return &Cache{read: read, limit: limit, entries: make(map[Version]entry)}
}

// NewMemo returns a cache that also keeps errors, for use during one call: it reads each version once.
func NewMemo(read Read) *Cache {
	return &Cache{read: read, errors: true, entries: make(map[Version]entry)}
}

// Cached returns a definition without reading it, or nil if it is not cached.
func (c *Cache) Cached(name string, version int) *saga.Definition {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.entries[Version{name, version}].definition
}

// Get returns a definition, and reads it if it is not cached.
func (c *Cache) Get(ctx context.Context, name string, version int) (*saga.Definition, error) {
	key := Version{name, version}
	c.mu.RLock()
	found, cached := c.entries[key]
	c.mu.RUnlock()
	if !cached {
		found.definition, found.err = c.read(ctx, name, version)
		if found.err == nil || c.errors {
			c.put(key, found)
		}
	}
	return found.definition, found.err
}

// Put caches a definition that was read otherwise.
func (c *Cache) Put(definition *saga.Definition) {
	c.put(Version{definition.Name, definition.Version}, entry{definition: definition})
}

func (c *Cache) put(key Version, e entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.limit > 0 && len(c.entries) >= c.limit {
		clear(c.entries)
	}
	c.entries[key] = e
}
