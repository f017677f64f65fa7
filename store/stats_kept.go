package store

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// Counting the ended sagas reads an entry of an index for each, half a second for a million. Few sagas are counted anew for
// every caller. With more of them, callers share a count that may be a little old, and a newer one is made behind their back.
const (
	keptFrom  = 20_000           // ended sagas; fewer are counted for every caller
	keptLife  = 10 * time.Second // no caller gets an older count
	keptRest  = 5 * time.Second  // the longest pause between two counts while callers ask
	keptShare = 20               // a count is followed by a pause of this many times its own duration
	keptLimit = 15 * time.Second // of a count; its statements have limits of their own
)

var errClosed = errors.New("the store is closed")

// past holds the counts that cost most: of ended sagas, and of the starts and ends of the last hour.
type past struct {
	record.Stats

	sagas int64         // that were counted
	begun time.Time     // of the count
	took  time.Duration // the count
}

// kept is the last count of the past. At most one count runs in the background.
type kept struct {
	count func(context.Context) (past, error)

	mutex   sync.Mutex
	last    *past // nil: not counted yet
	running *run  // nil: none
	stop    context.CancelFunc
	closed  bool
}

// run is a count in the background.
type run struct {
	done chan struct{}
	err  error // set before done is closed
}

// get returns the last count. small means that the sagas are so few that the caller counts them itself.
func (k *kept) get(ctx context.Context) (found past, small bool, err error) {
	found, small, current := k.look(ctx)
	if small || current == nil {
		return found, small, nil
	}
	select {
	case <-current.done:
	case <-ctx.Done():
		return past{}, false, ctx.Err()
	}
	if current.err != nil {
		return past{}, false, current.err
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	return *k.last, k.last.sagas < keptFrom, nil
}

// look returns what is known now, or the count to wait for. A count that has rested long enough is replaced in the
// background.
func (k *kept) look(ctx context.Context) (found past, small bool, wait *run) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if k.last == nil {
		return past{}, false, k.begin(ctx)
	}
	if k.last.sagas < keptFrom {
		return past{}, true, nil
	}
	age := time.Since(k.last.begun)
	if age > keptLife {
		return past{}, false, k.begin(ctx)
	}
	if age > k.last.took+k.last.rest() {
		k.begin(ctx)
	}
	return *k.last, false, nil
}

// rest returns the pause after the count. It is shorter if the next count would otherwise end too late.
func (p *past) rest() time.Duration {
	inTime := keptLife - time.Second - 2*p.took
	return max(0, min(keptRest, keptShare*p.took, inTime))
}

// begin returns the count that runs. It starts one if there is none. The caller holds the mutex.
func (k *kept) begin(ctx context.Context) *run {
	if k.closed {
		ended := &run{done: make(chan struct{}), err: errClosed}
		close(ended.done)
		return ended
	}
	if k.running != nil {
		return k.running
	}
	current := &run{done: make(chan struct{})}
	limited, stop := context.WithTimeout(context.WithoutCancel(ctx), keptLimit)
	k.running, k.stop = current, stop
	go func() {
		defer close(current.done)
		defer stop()
		found, err := k.count(limited)
		k.mutex.Lock()
		defer k.mutex.Unlock()
		if k.running, current.err = nil, err; err == nil {
			k.last = &found
		}
	}()
	return current
}

// put replaces the last count by one that a caller made.
func (k *kept) put(found past) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.last = &found
}

// close stops the count that runs, and waits for its end.
func (k *kept) close() {
	k.mutex.Lock()
	current := k.running
	if k.closed = true; current != nil {
		k.stop()
	}
	k.mutex.Unlock()
	if current != nil {
		<-current.done
	}
}
