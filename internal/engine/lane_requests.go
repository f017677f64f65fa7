package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

const (
	// batchBytes limits the events of a batch, unless one event alone is larger.
	batchBytes = 4 << 20
	// bytesPerUnit is the size of a request from which it takes another unit of room in its lane.
	bytesPerUnit = 16 << 10
)

// capacity returns the room of the lane, in units of weight.
func (l *lane) capacity() int64 { return l.size }

// weight returns the room that a request takes: one unit, or more if it is large.
func (l *lane) weight(r *request) int64 {
	return min(1+int64(r.bytes/bytesPerUnit), l.capacity())
}

func (l *lane) release(requests ...*request) {
	for _, r := range requests {
		l.room.Release(l.weight(r))
	}
}

// add appends a request. It blocks while the lane is full, so a slow store slows the input down.
func (l *lane) add(ctx context.Context, r *request) error {
	r.bytes = r.size()
	if err := l.room.Acquire(ctx, l.weight(r)); err != nil {
		return record.ErrUnavailable
	}
	return l.append(r)
}

// append appends a request that has its room.
func (l *lane) append(r *request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		l.release(r)
		return ErrStopped
	}
	r.in = l
	l.requests = append(l.requests, r)
	l.filled.Notify()
	if len(l.requests) == l.wanted {
		l.enough.Notify()
	}
	return nil
}

// take returns the next batch. retry is a parked request that is due, to be decided alone; ended means that the lane is
// closed and empty.
func (l *lane) take() (batch []*request, retry *request, ended bool) {
	batch, retry, dropped, ended := l.taken()
	for _, r := range dropped {
		r.done(answer{err: record.ErrUnavailable})
	}
	l.release(dropped...)
	return batch, retry, ended
}

// taken does the work of take. It moves requests of parked sagas behind those, and also returns the requests that find
// no room there and the wakes that wait for replies.
func (l *lane) taken() (batch []*request, retry *request, dropped []*request, ended bool) {
	repliesFirst := l.engine.storing.repliesFirst(l.engine.config.Now())
	l.mu.Lock()
	defer l.mu.Unlock()
	if retry = l.duePark(); retry != nil {
		return nil, retry, nil, false
	}
	limit, bytes, taken := min(len(l.requests), l.limit), 0, 0
	for _, r := range l.requests {
		if repliesFirst && r.waitsForReplies() {
			taken, dropped = taken+1, append(dropped, r)
			continue
		}
		if p := l.isParked(r.sagaID); p != nil {
			taken++
			if !l.waitBehind(p, r) {
				dropped = append(dropped, r)
			}
			continue
		}
		alone := l.costly != nil && r.kind == startSaga // it cannot be left once the batch is too much
		if len(batch) == limit || bytes > 0 && bytes+r.bytes > batchBytes || alone && len(batch) > 0 {
			break
		}
		if alone {
			limit = 1
		}
		if batch == nil {
			batch = make([]*request, 0, limit)
		}
		batch, bytes = append(batch, r), bytes+r.bytes
		taken++
	}
	l.requests = l.requests[taken:]
	if len(l.requests) == 0 {
		l.requests = nil // release the memory of decided requests
	} else {
		l.filled.Notify()
	}
	return batch, nil, dropped, l.closed && len(batch) == 0 && len(l.requests) == 0 && len(l.parked) == 0
}

// dropImpatient answers the requests whose callers have given up, and returns the others.
func (l *lane) dropImpatient(requests []*request) []*request {
	stay := make([]*request, 0, len(requests))
	for _, r := range requests {
		if r.patience != nil && r.patience.Err() != nil {
			r.done(answer{err: errors.Join(record.ErrUnavailable, r.patience.Err())})
			l.release(r)
			continue
		}
		stay = append(stay, r)
	}
	return stay
}

// partition takes the requests for which is is true out of others.
func partition(requests []*request, is func(*request) bool) (others, those []*request) {
	for _, r := range requests {
		if is(r) {
			those = append(those, r)
		} else {
			others = append(others, r)
		}
	}
	return others, those
}

// without returns the requests that are not among others.
func without(requests, others []*request) []*request {
	if len(others) == 0 {
		return requests
	}
	return slices.DeleteFunc(slices.Clone(requests), func(r *request) bool { return slices.Contains(others, r) })
}

// putBack returns requests to the front, so that the events of each saga keep their order.
func (l *lane) putBack(requests []*request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(slices.Clone(requests), l.requests...)
	l.filled.Notify()
}

// putLast moves the requests of busy sagas behind all others, so that they hold up no other saga. Later requests of the
// same sagas stay behind them.
func (l *lane) putLast(busy []*request) {
	if len(busy) == 0 {
		return
	}
	sagas := make(map[string]bool, len(busy))
	for _, r := range busy {
		sagas[r.sagaID] = true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	requests := make([]*request, 0, len(l.requests)+len(busy))
	for _, r := range l.requests {
		if sagas[r.sagaID] {
			busy = append(busy, r)
		} else {
			requests = append(requests, r)
		}
	}
	l.requests = append(requests, busy...)
	l.filled.Notify()
}

// giveUpAll answers everything that waits with an error, during shutdown.
func (l *lane) giveUpAll(err error) {
	l.mu.Lock()
	requests := l.requests
	for _, p := range l.parked {
		requests = append(requests, p.requests...)
	}
	l.requests, l.parked = nil, nil
	l.mu.Unlock()
	for _, r := range requests {
		r.done(answer{err: err})
	}
	l.release(requests...)
}
