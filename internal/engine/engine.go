package engine

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// ErrStopped means that the engine accepts no more input because it is shutting down.
var ErrStopped = fmt.Errorf("%w: the engine is stopping", record.ErrUnavailable)

// Engine decides the events of sagas. Make one with New and start it with Run.
type Engine struct {
	config      Config
	lanes       []*lane
	costly      *costly
	definitions *knownDefinitions
	timers      *timers
	storing     storing
	watchers    *watchers

	looks      chan childLook // children to look at, for look
	quarantine *quarantine
	limiter    *logLimiter
}

// New returns an engine. It accepts events at once, but decides them only while Run runs.
func New(config Config) *Engine {
	config = config.withDefaults()
	e := &Engine{config: config, definitions: newKnownDefinitions(config.Store, config.Compiler, config.Now), watchers: newWatchers()}
	e.looks = make(chan childLook, maxLooks)
	e.timers, e.quarantine, e.limiter = newTimers(config.Now), newQuarantine(config.Now), newLogLimiter(config.Now)
	for range config.Lanes {
		e.lanes = append(e.lanes, newLane(e))
	}
	e.costly = newCostly(e)
	return e
}

// Run decides events until ctx ends. It runs DecideBatch, FireTimers, PollStore, ForgetConfirmed and PollWatched in
// loops; a simulation calls these itself.
//
// When ctx ends, Run accepts no more events, decides those that it has, and returns. If the store does not answer, it
// gives up after the grace period.
func (e *Engine) Run(ctx context.Context, grace time.Duration) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var background, lanes, costly sync.WaitGroup
	background.Go(func() { e.fire(ctx) })
	background.Go(func() { e.poll(ctx) })
	background.Go(func() { e.forget(ctx) })
	background.Go(func() { e.watch(ctx) })
	background.Go(func() { e.look(ctx) })
	for _, l := range e.lanes {
		lanes.Go(func() { l.run(work) })
	}
	for _, l := range e.costly.lanes {
		costly.Go(func() { l.run(work) })
	}
	<-ctx.Done()
	giveUp := time.AfterFunc(grace, cancel)
	defer giveUp.Stop()
	background.Wait()
	for _, l := range e.lanes {
		l.close()
	}
	lanes.Wait() // they hand over to the costly ones
	for _, l := range e.costly.lanes {
		l.close()
	}
	costly.Wait()
}

// lane returns the lane of a saga. All events of a saga go through the same lane, in the order of arrival, or from there to the
// lane of its definition.
func (e *Engine) lane(sagaID string) *lane {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(sagaID))                      // a hash never fails to write
	return e.lanes[int(hash.Sum32()%uint32(len(e.lanes)))] //nolint:gosec // a few lanes
}

// laneOf returns the lane of a request.
func (e *Engine) laneOf(r *request) *lane {
	if r.kind == startSaga {
		if l := e.costly.lane(r.def); l != nil {
			return l
		}
	}
	return e.lane(r.sagaID)
}

// Lanes returns the number of lanes; they are numbered from 0.
func (e *Engine) Lanes() int { return len(e.lanes) + len(e.costly.lanes) }

// DecideBatch decides the next batch of a lane and reports whether there was one. Do not call it concurrently for one
// lane.
func (e *Engine) DecideBatch(ctx context.Context, lane int) bool {
	all := append(slices.Clip(e.lanes), e.costly.lanes...)
	decided, _ := all[lane].decideBatch(ctx)
	return decided
}

// Start makes a new saga, or returns the existing one of the idempotency key; existed reports which. Errors:
// record.ErrDefinitionNotFound, record.ErrIdempotencyConflict, *record.KeyInUseError, *record.SagaGoneError,
// *record.InvalidDataError, *record.ChildHasPivotError, record.ErrUnavailable, ErrStopped.
func (e *Engine) Start(ctx context.Context, start record.StartRequest) (in saga.Instance, existed bool, err error) {
	def, err := e.definitions.find(ctx, start.Definition, start.Version)
	if err != nil {
		return saga.Instance{}, false, startFault(start, err)
	}
	id := start.SagaID
	if id == "" {
		id = e.config.NewID()
	}
	r := &request{kind: startSaga, sagaID: id, start: &start, def: def}
	if !start.Unwound {
		refusal, err := e.refusesStart(ctx, def)
		if err != nil {
			return saga.Instance{}, false, startFault(start, err)
		}
		r.refusal = refusal
		if err := e.checkStart(ctx, r); err != nil {
			return saga.Instance{}, false, startFault(start, err)
		}
	}
	leave, err := e.enter(ctx, r)
	if err != nil {
		return saga.Instance{}, false, startFault(start, err)
	}
	defer leave()
	answer := e.askStart(ctx, r)
	if errors.Is(answer.err, record.ErrDefinitionNotFound) {
		e.definitions.forget(def.Name, def.Version)
	}
	if answer.err != nil {
		return saga.Instance{}, false, startFault(start, answer.err)
	}
	return answer.instance, answer.existed, nil
}

// askStart gives a start to its lane. A start that is refused finds the saga of its idempotency key, or nothing: it is
// decided by itself, because its failure would take back the batch.
func (e *Engine) askStart(ctx context.Context, r *request) answer {
	if r.refusal == nil {
		return e.ask(ctx, r)
	}
	if r.start.IdempotencyKey == "" {
		return answer{err: r.refusal}
	}
	given := answer{err: record.ErrUnavailable}
	r.done, r.anyLane = func(a answer) { given = a }, true
	if _, err := e.decide(ctx, []*request{r}); err != nil {
		return answer{err: fmt.Errorf("%w: %w", record.ErrUnavailable, err)}
	}
	return given
}

// Signal gives a signal to a saga and returns the saga after it. With a *saga.Refusal it returns the saga unchanged.
// Errors: as Act.
func (e *Engine) Signal(ctx context.Context, sagaID string, signal saga.Signal) (saga.Instance, error) {
	return e.change(ctx, sagaID, "signal", signal)
}

// Act applies an operator's action and returns the saga after it. With a *saga.Refusal it returns the saga unchanged.
// Errors: record.ErrSagaNotFound, *saga.Refusal, record.ErrUnavailable, ErrStopped.
func (e *Engine) Act(ctx context.Context, sagaID string, action saga.Action) (saga.Instance, error) {
	return e.change(ctx, sagaID, string(action.Name), action)
}

func (e *Engine) change(ctx context.Context, sagaID, what string, cause saga.Cause) (saga.Instance, error) {
	answer := e.ask(ctx, &request{kind: applyEvent, sagaID: sagaID, cause: cause})
	switch {
	case answer.err != nil:
		return answer.instance, fmt.Errorf("%s saga %s: %w", what, sagaID, answer.err)
	case answer.refused != nil:
		return answer.instance, answer.refused
	default:
		return answer.instance, nil
	}
}

// ask gives a request to its lane and waits until it is stored, or ctx ends.
func (e *Engine) ask(ctx context.Context, r *request) answer {
	var given answer
	answered := make(chan struct{})
	r.patience = ctx
	if caller, known := record.CallerOf(ctx); known {
		r.caller = &caller
	}
	r.done = func(a answer) {
		given = a
		close(answered)
	}
	if err := e.add(ctx, r); err != nil {
		return answer{err: err}
	}
	if !e.config.Await(ctx, answered) {
		late := record.ErrUnavailable
		if e.costly.awaits(r.sagaID) {
			late = record.ErrCostly
		}
		return answer{err: fmt.Errorf("%w: %w", late, ctx.Err())}
	}
	return given
}

// add gives a request to its lane. A start that comes again does not wait for room in a costly one.
func (e *Engine) add(ctx context.Context, r *request) error {
	l := e.laneOf(r)
	if l.costly != nil && r.start.ComesAgain {
		return l.addAtOnce(r)
	}
	return l.add(ctx, r)
}

// Published reports that a command which had to wait in the outbox is in its queue. done is called once, after that is
// stored or given up.
func (e *Engine) Published(ctx context.Context, id saga.CommandID, done func()) {
	r := &request{kind: applyEvent, sagaID: id.Saga, cause: saga.Published{Command: id}, done: func(answer) { done() }}
	if e.lane(id.Saga).add(ctx, r) != nil {
		done()
	}
}

// Changed returns a channel that receives the saga after each commit for which wanted is true; nil wants all. Commits
// of this process arrive at once, those of other replicas a little later. A newer value replaces one that was not
// received yet. The saga need not exist yet. wanted must not block. Call stop after use.
func (e *Engine) Changed(sagaID string, wanted func(*saga.Instance) bool) (changed <-chan saga.Instance, stop func()) {
	return e.watchers.subscribe(sagaID, wanted)
}
