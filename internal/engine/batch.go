package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// batchState decides the requests of one batch on what a transaction has loaded. Every try makes a new one: the same
// requests on the same sagas give the same changes.
type batchState struct {
	definitions *knownDefinitions
	overdue     time.Duration
	sinks       Sinks
	repliers    Repliers
	// startsUnaudited leaves starts out of the audit log.
	startsUnaudited bool
	loaded          record.Loaded
	now             time.Time

	sagas       map[string]*sagaState
	order       []string // saga ids in the order of their first use
	bytes       int      // size of the sagas and commands so far
	commands    []wire.Command
	deadLetters []record.DeadLetter
	abandoned   []record.Abandonment
	results     []record.BulkResult
	redriven    []wire.Command
	withdrawn   []saga.CommandID
	discarded   []string
	answers     []answer
	audit       []record.AuditEntry
	looks       []childLook
	abandoning  []*request // those that abandoned
	published   int        // lifecycle events
}

// stateBytes is the size of the sagas and commands from which a batch loads no further sagas.
const stateBytes = 8 << 20

// sagaState is a saga after the earlier requests of the batch.
type sagaState struct {
	def       *saga.Definition
	instance  saga.Instance
	before    *saga.Instance // as it was loaded; nil: it was not, or cannot be read
	created   bool
	changed   bool
	abandoned bool // by the store, because the core cannot decide on it
	moved     bool // only WakeAt or deadlines changed
	entries   []saga.Entry
	wakeAt    time.Time // when the timer that changed the saga was due; zero: no timer did
	fault     error     // why the core cannot decide on this saga; wraps record.ErrUnreadable
}

func newBatchState(e *Engine, loaded record.Loaded, requests int) *batchState {
	return &batchState{
		definitions: e.definitions, overdue: e.config.OverdueAfter, sinks: e.config.Events, repliers: e.config.Repliers, startsUnaudited: e.config.StartsUnaudited, loaded: loaded, now: loaded.Now,
		sagas: make(map[string]*sagaState, requests),
		order: make([]string, 0, requests), commands: make([]wire.Command, 0, requests), answers: make([]answer, 0, requests),
	}
}

// take decides one request. It returns an error only if the whole batch fails: a definition is not cached, or a start
// cannot be decided. Errors of the request alone go into its answer.
func (b *batchState) take(r *request) (err error) {
	var a answer
	switch r.kind {
	case startSaga:
		a, err = b.start(r)
	case applyEvent:
		a, err = b.decideTarget(r, b.event)
	case discardLetter, settleTarget:
		a, err = b.decideTarget(r, func(*request) (answer, error) { return answer{}, nil })
	}
	b.answers = append(b.answers, a)
	return err
}

// guarded turns a panic into an error: a defect that one saga meets must not affect the others.
func guarded(decide func() (saga.Decision, error)) (decision saga.Decision, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	return decide()
}

func (b *batchState) start(r *request) (answer, error) {
	if made, here := b.sagas[r.sagaID]; here { // the same start twice, because its row or letter was read again
		return answer{instance: made.instance}, nil
	}
	switch outcome := b.loaded.Starts[r.sagaID]; outcome.Kind {
	case record.StartExists:
		return b.existing(outcome, r.sagaID), nil
	case record.StartConflict:
		return answer{err: record.ErrIdempotencyConflict}, nil
	case record.StartGone:
		return answer{err: &record.SagaGoneError{SagaID: outcome.Existing}}, nil
	case record.StartKeyInUse:
		return answer{err: &record.KeyInUseError{SagaID: outcome.Existing}}, nil
	case record.StartUndefined:
		return answer{err: record.ErrDefinitionNotFound}, nil
	case record.StartDisabled:
		return answer{err: record.ErrDefinitionDisabled}, nil
	}
	def, err := b.latest(r)
	if err != nil {
		return answer{}, err
	}
	if err := r.refusalUnder(def); err != nil {
		return answer{}, fmt.Errorf("%w: %w", record.ErrRejected, err)
	}
	decision, err := guarded(func() (saga.Decision, error) {
		return def.Start(saga.Start{
			ID: r.sagaID, At: b.now, OverdueAfter: b.overdue, Key: r.start.Key, Data: r.start.Data,
			Priority: r.start.Priority, Labels: r.start.Labels, StartAt: r.start.StartAt, Deadline: r.start.Deadline,
			TraceParent: r.start.TraceParent, Actor: r.start.Actor, Parent: r.start.Parent, Unwound: r.start.Unwound,
		})
	})
	s := &sagaState{def: def, created: true}
	if err == nil {
		err = b.apply(s, decision)
	}
	if err != nil {
		// The claims of its keys cannot be rolled back alone.
		return answer{}, fmt.Errorf("decide the start of saga %s: %w: %w", r.sagaID, record.ErrRejected, err)
	}
	b.sagas[r.sagaID] = s
	b.order = append(b.order, r.sagaID)
	return answer{instance: s.instance}, b.auditStart(r, &s.instance)
}

// refusalUnder returns why a definition does not allow a start; nil if it does. The one that was checked before the batch may
// not be the latest any more.
func (r *request) refusalUnder(def *saga.Definition) error {
	if def == r.def || r.start.Unwound {
		return r.refusal
	}
	return checkData(def, r.start.Data)
}

// checkData returns a *record.InvalidDataError if the data of a start does not match the schema of its definition.
func checkData(def *saga.Definition, data json.RawMessage) error {
	if faults := def.CheckData(data); len(faults) > 0 {
		return &record.InvalidDataError{Faults: faults}
	}
	return nil
}

// latest returns the definition of a start: a newer one than requested if it was registered in the meantime.
func (b *batchState) latest(r *request) (*saga.Definition, error) {
	newer := b.loaded.Newer[r.def.Name]
	if r.start.Version != 0 || newer <= r.def.Version {
		return r.def, nil
	}
	def, err := b.definitions.get(r.def.Name, newer)
	if errors.Is(err, record.ErrUnreadable) {
		return nil, fmt.Errorf("decide the start of saga %s: %w: %w", r.sagaID, record.ErrRejected, err)
	}
	return def, err
}

// existing answers a start whose saga exists: stored before, or by an earlier request of this batch. A saga with the
// same id is this very start, after a commit whose outcome was unknown.
func (b *batchState) existing(outcome record.StartOutcome, ownID string) answer {
	a := answer{instance: outcome.Instance, existed: outcome.Existing != ownID}
	if made, here := b.sagas[outcome.Existing]; here {
		a.instance = made.instance
	}
	return a
}

func (b *batchState) event(r *request) (answer, error) {
	_, touched := b.sagas[r.sagaID]
	if b.loaded.Busy[r.sagaID] || !touched && b.bytes > stateBytes {
		return answer{busy: true}, nil
	}
	s, err := b.find(r.sagaID)
	switch {
	case err != nil:
		return answer{}, err
	case s == nil:
		if r.dead != nil && !r.keepDead {
			b.addDeadLetter(r, "unknown_saga", "the saga does not exist")
		}
		return answer{err: record.ErrSagaNotFound}, nil
	case s.fault != nil:
		return b.undecidable(r, s), nil //nolint:nilerr // the fault affects this saga only
	case r.lost != nil && b.mayStillBeInProgress(r, s):
		return answer{instance: s.instance}, nil
	}
	if why := b.forbidden(r, s); why != "" {
		b.addDeadLetter(r, reasonUserNotAllowed, why)
		return answer{instance: s.instance}, nil
	}
	if _, replied := r.cause.(saga.Reply); replied {
		r.turnaround = b.now.Sub(s.instance.UpdatedAt)
	}
	decision, err := guarded(func() (saga.Decision, error) {
		return s.def.Transition(s.instance, saga.Event{
			At: b.timeFor(r, &s.instance), OverdueAfter: b.overdue, HeldBack: b.loaded.HeldBack[r.sagaID], Cause: b.causeOf(r),
		})
	})
	if _, woken := r.cause.(saga.Wake); woken && decision.Changed {
		s.wakeAt = s.instance.WakeAt
	}
	if err == nil {
		err = b.apply(s, decision)
	}
	b.looks = append(b.looks, looksOf(&decision.Next, decision.Looks)...)
	if err != nil {
		s.fault = fmt.Errorf("decide on saga %s: %w: %w", r.sagaID, record.ErrUnreadable, err)
		return b.undecidable(r, s), nil
	}
	switch {
	case r.dead == nil || r.keepDead:
	case decision.Refused != nil:
		b.addDeadLetter(r, decision.Refused.Code, decision.Refused.Message)
	case decision.OutputFault != "":
		b.addDeadLetter(r, decision.OutputFault, "the step took effect, but its output was not taken")
	}
	if r.letter != nil && decision.OutputFault != "" { // the letter holds the only copy of the output
		return s.refuse(saga.RefusedNotApplicable, "the output cannot be merged into the saga's data: patch the data, or skip the step"), nil
	}
	return answer{instance: s.instance, refused: decision.Refused}, nil
}

// causeOf returns the cause of a request, completed with what the transaction has loaded for it.
func (b *batchState) causeOf(r *request) saga.Cause {
	if _, wakes := r.cause.(saga.Wake); wakes {
		return saga.Wake{Unpublished: b.loaded.Unpublished[r.sagaID]}
	}
	return r.cause
}

// timeOf returns the time for an event of the saga. The time of a saga never runs backwards. A saga that is ahead,
// because the clock of the database was, keeps its own time and does not affect others.
func (b *batchState) timeOf(in *saga.Instance) time.Time {
	if in.UpdatedAt.After(b.now) {
		return in.UpdatedAt
	}
	return b.now
}

// timeFor returns the time for the event of a request. If the clock of the database was set back, a saga would wait
// until it has caught up, so the time measured by this process counts too.
func (b *batchState) timeFor(r *request, in *saga.Instance) time.Time {
	now := b.timeOf(in)
	if now.After(b.now) && r.measured.After(now) {
		return r.measured
	}
	return now
}

// find returns the current state of a saga in this batch, or nil if the saga does not exist.
func (b *batchState) find(id string) (*sagaState, error) {
	if s, known := b.sagas[id]; known {
		return s, nil
	}
	if part, found := b.loaded.Unreadable[id]; found {
		b.sagas[id] = &sagaState{instance: part.Instance, fault: part.Unreadable}
		return b.sagas[id], nil
	}
	instance, found := b.loaded.Instances[id]
	if !found {
		return nil, nil //nolint:nilnil // a missing saga is not an error here
	}
	s := &sagaState{instance: instance, before: &instance}
	def, err := b.definitions.get(instance.Definition, instance.Version)
	switch {
	case errors.Is(err, record.ErrUnreadable):
		s.fault = fmt.Errorf("saga %s: %w", id, err)
	case err != nil:
		return nil, err
	default:
		s.def = def
		if fault := def.Check(&instance); fault != nil {
			s.fault = fmt.Errorf("saga %s as stored: %w: %w", id, record.ErrUnreadable, fault)
		}
	}
	b.sagas[id] = s
	b.order = append(b.order, id)
	b.bytes += sizeOf(&instance)
	return s, nil
}

func sizeOf(in *saga.Instance) int {
	bytes := len(in.Data)
	for i := range in.Steps {
		bytes += len(in.Steps[i].Output)
	}
	return bytes
}

// apply makes a decision the current state of a saga and collects its effects. On an error it changes nothing.
func (b *batchState) apply(s *sagaState, decision saga.Decision) error {
	for _, id := range decision.Withdrawn {
		b.withdrawn = append(b.withdrawn, id)
		delete(b.loaded.HeldBack[id.Saga], id.String()) // later events of the batch do not find it
	}
	if !decision.Changed {
		s.moved = s.moved || !decision.Next.WakeAt.Equal(s.instance.WakeAt)
		s.instance = decision.Next
		return nil
	}
	known := len(b.commands)
	for _, command := range decision.Commands {
		encoded := wire.EncodeCommand(&decision.Next, command)
		b.commands = append(b.commands, encoded)
		b.bytes += len(encoded.Body)
	}
	for _, message := range decision.Messages {
		encoded, err := wire.EncodeMessage(&decision.Next, message)
		if err != nil {
			b.commands = b.commands[:known]
			return err
		}
		b.commands = append(b.commands, encoded)
		b.bytes += len(encoded.Body)
	}
	s.changed = true
	s.instance = decision.Next
	s.entries = append(s.entries, decision.Entries...)
	return nil
}

func (b *batchState) addDeadLetter(r *request, reason, message string) {
	dead := *r.dead
	explain(&dead, reason, message)
	b.deadLetters = append(b.deadLetters, dead)
}

// changes returns what the transaction has to write. It also stores the given dead letters.
func (b *batchState) changes(letters []record.DeadLetter) (record.Changes, error) {
	changes := record.Changes{
		Commands: b.commands, DeadLetters: b.deadLetters, Abandoned: b.abandoned,
		Results: b.results, Redriven: b.redriven, Discarded: b.discarded, Audit: b.audit,
		Withdrawn: b.withdrawn,
	}
	created, updated, entries := b.count()
	changes.Created, changes.Updated = make([]saga.Instance, 0, created), make([]saga.Instance, 0, updated)
	changes.Entries = make([]record.Entry, 0, entries)
	for _, id := range b.order {
		s := b.sagas[id]
		switch {
		case s.created:
			changes.Created = append(changes.Created, s.instance)
		case s.changed || s.moved:
			changes.Updated = append(changes.Updated, s.instance)
		}
		for _, entry := range s.entries {
			changes.Entries = append(changes.Entries, record.Entry{SagaID: id, Entry: entry})
		}
		events, err := b.events(s)
		if err != nil {
			return record.Changes{}, err
		}
		changes.Events = append(changes.Events, events...)
	}
	events, err := b.letterEvents(slices.Concat(letters, b.deadLetters))
	if err != nil {
		return record.Changes{}, err
	}
	changes.Events = append(changes.Events, events...)
	b.published = len(changes.Events)
	for _, abandoned := range b.abandoned {
		b.published += len(abandoned.Sinks)
	}
	return changes, nil
}

// count returns the sizes of the lists to write. Instances are large, so their lists are allocated once.
func (b *batchState) count() (created, updated, entries int) {
	for _, s := range b.sagas {
		entries += len(s.entries)
		switch {
		case s.created:
			created++
		case s.changed || s.moved:
			updated++
		}
	}
	return created, updated, entries
}
