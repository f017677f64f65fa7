package engine

import "sync"

// changes tells those who watch a saga in this process that it may have changed.
type changes struct {
	mu       sync.Mutex
	watchers map[string]map[chan struct{}]struct{}
}

func newChanges() *changes { return &changes{watchers: make(map[string]map[chan struct{}]struct{})} }

func (c *changes) subscribe(sagaID string) (<-chan struct{}, func()) {
	hint := make(chan struct{}, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watchers[sagaID] == nil {
		c.watchers[sagaID] = make(map[chan struct{}]struct{})
	}
	c.watchers[sagaID][hint] = struct{}{}
	return hint, func() { c.unsubscribe(sagaID, hint) }
}

func (c *changes) unsubscribe(sagaID string, hint chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.watchers[sagaID], hint)
	if len(c.watchers[sagaID]) == 0 {
		delete(c.watchers, sagaID)
	}
}

// announce never waits: a watcher that has a hint already needs no second one.
func (c *changes) announce(sagaID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for hint := range c.watchers[sagaID] {
		select {
		case hint <- struct{}{}:
		default:
		}
	}
}
