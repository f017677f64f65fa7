package engine

import (
	"context"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// How often sagas that somebody watches are looked up for what other replicas have done: often while something is found,
// and else more and more seldom. Who begins to watch has a look taken soon.
const (
	oftenLook  = 50 * time.Millisecond
	soonLook   = 250 * time.Millisecond
	seldomLook = time.Second
)

// changes tells those who watch a saga how it was committed last.
type watchers struct {
	begun wait.Signal // fires when a watch begins

	mu      sync.Mutex
	bySaga map[string]*watchedSaga
}

// watched is a saga that somebody watches.
type watchedSaga struct {
	revision int64                                            // that was announced last; 0: none yet
	watchers map[chan saga.Instance]func(*saga.Instance) bool // what each wants to be told; nil: everything
}

func newWatchers() *watchers {
	return &watchers{begun: wait.NewSignal(), bySaga: make(map[string]*watchedSaga)}
}

func (c *watchers) subscribe(sagaID string, wanted func(*saga.Instance) bool) (<-chan saga.Instance, func()) {
	watcher := make(chan saga.Instance, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bySaga[sagaID] == nil {
		c.bySaga[sagaID] = &watchedSaga{watchers: make(map[chan saga.Instance]func(*saga.Instance) bool)}
	}
	c.bySaga[sagaID].watchers[watcher] = wanted
	c.begun.Notify()
	return watcher, func() { c.unsubscribe(sagaID, watcher) }
}

func (c *watchers) unsubscribe(sagaID string, watcher chan saga.Instance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.bySaga[sagaID].watchers, watcher)
	if len(c.bySaga[sagaID].watchers) == 0 {
		delete(c.bySaga, sagaID)
	}
}

// announce never waits: what a watcher has not looked at yet is replaced.
func (c *watchers) announce(in saga.Instance) {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.bySaga[in.ID]
	if seen == nil || in.Revision <= seen.revision {
		return
	}
	seen.revision = in.Revision
	for watcher, wanted := range seen.watchers {
		if wanted != nil && !wanted(&in) {
			continue
		}
		select {
		case <-watcher:
		default:
		}
		watcher <- in // nobody else sends, so there is room
	}
}

// revisions are those that were announced last, by saga.
func (c *watchers) revisions() map[string]int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := make(map[string]int64, len(c.bySaga))
	for id, seen := range c.bySaga {
		known[id] = seen.revision
	}
	return known
}

// look tells watchers of what other replicas have done, until ctx ends.
func (e *Engine) look(ctx context.Context) {
	pause := seldomLook
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if pause = min(2*pause, seldomLook); e.PollWatched(ctx) {
				pause = oftenLook
			}
		case <-e.watchers.begun.C():
			if pause <= soonLook {
				continue // it comes soon, and those who begin all the time should not put it off
			}
			pause = soonLook
		case <-ctx.Done():
			return
		}
		timer.Reset(pause)
	}
}

// LookForChanges asks the store once for what has become of the sagas that somebody watches; found says that something
// was news.
func (e *Engine) PollWatched(ctx context.Context) (found bool) {
	known := e.watchers.revisions()
	if len(known) == 0 {
		return false
	}
	changed, err := e.config.Store.Changed(ctx, known)
	if err != nil && ctx.Err() == nil {
		e.warn("look", "watched sagas were not read, trying again", "error", err)
	}
	for _, in := range changed {
		e.watchers.announce(in)
	}
	return len(changed) > 0
}
