package engine

import (
	"sync"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// changes tells those who watch a saga in this process how it was committed last.
type changes struct {
	mu       sync.Mutex
	watchers map[string]map[chan saga.Instance]struct{}
}

func newChanges() *changes { return &changes{watchers: make(map[string]map[chan saga.Instance]struct{})} }

func (c *changes) subscribe(sagaID string) (<-chan saga.Instance, func()) {
	watcher := make(chan saga.Instance, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watchers[sagaID] == nil {
		c.watchers[sagaID] = make(map[chan saga.Instance]struct{})
	}
	c.watchers[sagaID][watcher] = struct{}{}
	return watcher, func() { c.unsubscribe(sagaID, watcher) }
}

func (c *changes) unsubscribe(sagaID string, watcher chan saga.Instance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.watchers[sagaID], watcher)
	if len(c.watchers[sagaID]) == 0 {
		delete(c.watchers, sagaID)
	}
}

// announce never waits: what a watcher has not looked at yet is replaced.
func (c *changes) announce(in saga.Instance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for watcher := range c.watchers[in.ID] {
		select {
		case <-watcher:
		default:
		}
		watcher <- in // nobody else sends, so there is room
	}
}
