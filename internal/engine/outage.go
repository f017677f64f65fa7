package engine

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	// leaveAfter is how long an outage lasts before messages are left to other replicas, which may be able to store them.
	leaveAfter = 2 * time.Second
	// outageEvery is the pause between two looks at whether an outage has begun or ended.
	outageEvery = 100 * time.Millisecond
)

// noteStored notes a batch that was stored, if it changed sagas that were there before.
func (e *Engine) noteStored(state *batchState) {
	for id, s := range state.sagas {
		if s.changed && !s.created {
			e.storing.succeed(e.config.Now())
			e.storing.know(s.instance.Definition, id)
			return
		}
	}
}

// noteFailed notes a batch that was not stored, if it has events of sagas. If others can be changed, the fault is its own.
func (e *Engine) noteFailed(ctx context.Context, requests []*request) {
	if !slices.ContainsFunc(requests, func(r *request) bool { return r.kind == applyEvent }) {
		return
	}
	if !e.othersChange(ctx, requests) {
		e.storing.fail(e.config.Now())
	}
}

// othersChange reports whether sagas can be changed that are not those of the requests.
func (e *Engine) othersChange(ctx context.Context, requests []*request) bool {
	for _, id := range e.storing.known() {
		own := slices.ContainsFunc(requests, func(r *request) bool { return r.sagaID == id })
		if !own && e.try(ctx, id) == nil {
			e.storing.succeed(e.config.Now())
			return true
		}
	}
	return false
}

// try tries to change a saga, without a change.
func (e *Engine) try(ctx context.Context, sagaID string) error {
	ctx, cancel := e.config.Within(ctx, wakeAgain)
	defer cancel()
	err := e.config.Store.TryChange(ctx, sagaID)
	if errors.Is(err, record.ErrSagaNotFound) {
		e.storing.forget(sagaID)
	}
	return err
}

// probe finds out, during an outage, whether a saga can be changed again. A wake must not: it is what waits for the replies.
func (e *Engine) probe(ctx context.Context, sagaID string) {
	if !e.storing.mayProbe(e.config.Now()) {
		return
	}
	switch err := e.try(ctx, sagaID); {
	case err == nil:
		e.storing.succeed(e.config.Now())
	case !errors.Is(err, record.ErrSagaNotFound):
		e.storing.fail(e.config.Now())
	}
}

// AwaitOutage returns when no change of a saga could be stored for a while, or ctx ends. The messages that wait here were given back:
// stop taking others, which another replica may be able to store, until AwaitStoring returns.
func (e *Engine) AwaitOutage(ctx context.Context) {
	for !e.storing.lasting(leaveAfter) {
		if !e.config.Pause(ctx, outageEvery) {
			return
		}
	}
	for _, l := range slices.Concat(e.lanes, e.costly.lanes) {
		l.giveBack()
	}
}

// AwaitStoring returns when changes can be stored again, or ctx ends.
func (e *Engine) AwaitStoring(ctx context.Context) {
	for e.storing.outage() && e.config.Pause(ctx, outageEvery) {
		known := e.storing.known()
		for _, id := range known {
			e.probe(ctx, id)
		}
		if len(known) == 0 && e.storeAnswers(ctx) { // the first messages will show
			e.storing.succeed(e.config.Now())
		}
	}
}

// giveBack gives up the requests that messages have brought: the broker has the messages.
func (l *lane) giveBack() {
	isMessage := func(r *request) bool { return r.dead != nil && r.bulk == nil && r.letter == nil }
	l.mu.Lock()
	rest, given := partition(l.requests, isMessage)
	l.requests = rest
	for _, p := range l.parked {
		behind, more := partition(p.requests[1:], isMessage) // the first may be on its way to the store
		p.requests, given = append(p.requests[:1:1], behind...), append(given, more...)
	}
	l.mu.Unlock()
	l.release(given...)
	giveUp(given, record.ErrUnavailable)
}

// waitsForReplies reports whether the request is a wake, which waits for replies after an outage.
func (r *request) waitsForReplies() bool {
	_, wakes := r.cause.(saga.Wake)
	return wakes
}
