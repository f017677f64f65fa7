package engine

import (
	"context"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/wait"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// How often watched sagas are polled for changes by other replicas: more often while polls find changes, and soon after a
// watch begins.
const (
	pollBusy = 50 * time.Millisecond
	pollSoon = 250 * time.Millisecond
	pollIdle = time.Second
)

// watchers delivers the last committed state of sagas to their watchers.
type watchers struct {
	begun wait.Signal // fires when a watch begins

	mu     sync.Mutex
	bySaga map[string]*watchedSaga
}

// watchedSaga is a saga with at least one watcher.
type watchedSaga struct {
	revision int64                                            // the one delivered last; 0: none
	watchers map[chan saga.Instance]func(*saga.Instance) bool // each with its filter; nil: no filter
}

func newWatchers() *watchers {
	return &watchers{begun: wait.NewSignal(), bySaga: make(map[string]*watchedSaga)}
}

func (w *watchers) subscribe(sagaID string, wanted func(*saga.Instance) bool) (<-chan saga.Instance, func()) {
	watcher := make(chan saga.Instance, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.bySaga[sagaID] == nil {
		w.bySaga[sagaID] = &watchedSaga{watchers: make(map[chan saga.Instance]func(*saga.Instance) bool)}
	}
	w.bySaga[sagaID].watchers[watcher] = wanted
	w.begun.Notify()
	return watcher, func() { w.unsubscribe(sagaID, watcher) }
}

func (w *watchers) unsubscribe(sagaID string, watcher chan saga.Instance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.bySaga[sagaID].watchers, watcher)
	if len(w.bySaga[sagaID].watchers) == 0 {
		delete(w.bySaga, sagaID)
	}
}

// announce delivers a state. It never blocks: it replaces a state that was not received yet.
func (w *watchers) announce(in *saga.Instance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.bySaga[in.ID]
	if seen == nil || in.Revision <= seen.revision {
		return
	}
	seen.revision = in.Revision
	for watcher, wanted := range seen.watchers {
		if wanted != nil && !wanted(in) {
			continue
		}
		select {
		case <-watcher:
		default:
		}
		watcher <- *in // this is the only sender, so there is room
	}
}

// revisions returns the revision of each watched saga that was delivered last.
func (w *watchers) revisions() map[string]int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	known := make(map[string]int64, len(w.bySaga))
	for id, seen := range w.bySaga {
		known[id] = seen.revision
	}
	return known
}

// watch delivers the changes of other replicas until ctx ends.
func (e *Engine) watch(ctx context.Context) {
	pause := pollIdle
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if pause = min(2*pause, pollIdle); e.PollWatched(ctx) {
				pause = pollBusy
			}
		case <-e.watchers.begun.C():
			if pause <= pollSoon {
				continue // the next poll is near, and a stream of new watches must not postpone it
			}
			pause = pollSoon
		case <-ctx.Done():
			return
		}
		timer.Reset(pause)
	}
}

// PollWatched reads the watched sagas from the store once. found reports whether any had changed.
func (e *Engine) PollWatched(ctx context.Context) (found bool) {
	known := e.watchers.revisions()
	if len(known) == 0 {
		return false
	}
	changed, err := e.config.Store.Changed(ctx, known)
	if err != nil && ctx.Err() == nil {
		e.warn("watch", "cannot read watched sagas, will retry", "error", err)
	}
	for i := range changed {
		e.watchers.announce(&changed[i])
	}
	return len(changed) > 0
}
