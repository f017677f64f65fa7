package engine

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// batchWork decides the items of one batch on what a transaction has loaded. It is made anew for every try: the same
// items on the same sagas give the same changes.
type batchState struct {
	definitions *definitions
	overdue     time.Duration
	loaded      record.Loaded
	now         time.Time

	sagas       map[string]*sagaState
	order       []string // ids in the order in which they were first touched
	bytes       int      // of the sagas and commands so far
	commands    []wire.Command
	deadLetters []record.DeadLetter
	abandoned   []record.Abandonment
	answers     []answer
}

// workBytes is the size of the sagas and commands of a batch from which it takes no further sagas.
const stateBytes = 8 << 20

// sagaWork is one saga as the batch's earlier items have left it.
type sagaState struct {
	def       *saga.Definition
	instance  saga.Instance
	created   bool
	changed   bool
	abandoned bool // by the store, since nothing can be decided on it
	moved     bool // only times to look again are new
	entries   []saga.Entry
	fault     error // why nothing can be decided on this saga; wraps record.ErrUnreadable
}

func newBatchState(definitions *definitions, overdue time.Duration, loaded record.Loaded, requests int) *batchState {
	return &batchState{
		definitions: definitions, overdue: overdue, loaded: loaded, now: loaded.Now, sagas: make(map[string]*sagaState, requests),
		order: make([]string, 0, requests), commands: make([]wire.Command, 0, requests), answers: make([]answer, 0, requests),
	}
}

// take decides one item. Its error concerns the whole batch: a definition is missing in memory, or a start cannot be
// decided. What is wrong with an event alone is in its answer.
func (w *batchState) take(r *request) (err error) {
	var a answer
	switch r.kind {
	case startSaga:
		a, err = w.start(r)
	case applyEvent:
		a, err = w.event(r)
	}
	w.answers = append(w.answers, a)
	return err
}

// guarded makes an error of a panic: a defect that one saga meets is none of the others'.
func guarded(decide func() (saga.Decision, error)) (decision saga.Decision, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("panic: %v\n%s", cause, debug.Stack())
		}
	}()
	return decide()
}

func (w *batchState) start(r *request) (answer, error) {
	switch outcome := w.loaded.Starts[r.sagaID]; outcome.Kind {
	case record.StartExists:
		return w.existing(outcome, r.sagaID), nil
	case record.StartConflict:
		return answer{err: record.ErrIdempotencyConflict}, nil
	case record.StartKeyInUse:
		return answer{err: &record.KeyInUseError{SagaID: outcome.Existing}}, nil
	case record.StartUndefined:
		return answer{err: record.ErrDefinitionNotFound}, nil
	}
	def, err := w.latest(r)
	if err != nil {
		return answer{}, err
	}
	decision, err := guarded(func() (saga.Decision, error) {
		return def.Start(saga.Start{
			ID: r.sagaID, At: w.now, OverdueAfter: w.overdue, Key: r.start.Key, Data: r.start.Data,
			Priority: r.start.Priority, Labels: r.start.Labels, StartAt: r.start.StartAt, Deadline: r.start.Deadline,
			TraceParent: r.start.TraceParent, Actor: r.start.Actor,
		})
	})
	s := &sagaState{def: def, created: true}
	if err == nil {
		err = w.apply(s, decision)
	}
	if err != nil {
		// The claims of its keys cannot be given back alone.
		return answer{}, fmt.Errorf("decide the start of saga %s: %w: %w", r.sagaID, record.ErrRejected, err)
	}
	w.sagas[r.sagaID] = s
	w.order = append(w.order, r.sagaID)
	return answer{instance: s.instance}, nil
}

// latest is the plan of a start, which is a newer one than it came with where somebody has just registered that.
func (w *batchState) latest(r *request) (*saga.Definition, error) {
	newer := w.loaded.Newer[r.def.Name]
	if r.start.Version != 0 || newer <= r.def.Version {
		return r.def, nil
	}
	def, err := w.definitions.get(r.def.Name, newer)
	if errors.Is(err, record.ErrUnreadable) {
		return nil, fmt.Errorf("decide the start of saga %s: %w: %w", r.sagaID, record.ErrRejected, err)
	}
	return def, err
}

// existing answers a start that found its saga there: stored before, or made by an earlier item of this batch. Found
// under its own id, it is this very start, whose commit was not known to have come off.
func (w *batchState) existing(outcome record.StartOutcome, ownID string) answer {
	a := answer{instance: outcome.Instance, existed: outcome.Existing != ownID}
	if made, here := w.sagas[outcome.Existing]; here {
		a.instance = made.instance
	}
	return a
}

func (w *batchState) event(r *request) (answer, error) {
	_, touched := w.sagas[r.sagaID]
	if w.loaded.Busy[r.sagaID] || !touched && w.bytes > stateBytes {
		return answer{busy: true}, nil
	}
	s, err := w.find(r.sagaID)
	switch {
	case err != nil:
		return answer{}, err
	case s == nil:
		if r.dead != nil && !r.keepDead {
			w.addDeadLetter(r, "unknown_saga", "there is no such saga")
		}
		return answer{err: record.ErrSagaNotFound}, nil
	case s.fault != nil:
		return w.undecidable(r, s), nil //nolint:nilerr // a fault of this saga is none of the batch
	case r.lost != nil && w.mayStillBeInProgress(r, s):
		return answer{instance: s.instance}, nil
	}
	decision, err := guarded(func() (saga.Decision, error) {
		return s.def.Transition(s.instance, saga.Event{At: w.timeFor(r, &s.instance), OverdueAfter: w.overdue, Cause: w.causeOf(r)})
	})
	if err == nil {
		err = w.apply(s, decision)
	}
	if err != nil {
		s.fault = fmt.Errorf("decide on saga %s: %w: %w", r.sagaID, record.ErrUnreadable, err)
		return w.undecidable(r, s), nil
	}
	switch {
	case r.dead == nil || r.keepDead:
	case decision.Refused != nil:
		w.addDeadLetter(r, decision.Refused.Code, decision.Refused.Message)
	case decision.OutputFault != "":
		w.addDeadLetter(r, decision.OutputFault, "the step took effect, but its output was not taken")
	}
	return answer{instance: s.instance, refused: decision.Refused}, nil
}

// causeOf is what an item is about, with what the transaction has loaded for it.
func (w *batchState) causeOf(r *request) saga.Cause {
	if _, wakes := r.cause.(saga.Wake); wakes {
		return saga.Wake{Unpublished: w.loaded.Unpublished[r.sagaID]}
	}
	return r.cause
}

// timeOf is the time of an event of the saga. A saga's time never runs back, and one that is ahead, since the database's
// clock was, does not take the others along.
func (w *batchState) timeOf(in *saga.Instance) time.Time {
	if in.UpdatedAt.After(w.now) {
		return in.UpdatedAt
	}
	return w.now
}

// timeFor is the time of an item's event. A saga whose time is ahead of the database's, since that clock was set back, would
// wait until the database has caught up; what this process has measured itself counts for it too.
func (w *batchState) timeFor(r *request, in *saga.Instance) time.Time {
	now := w.timeOf(in)
	if now.After(w.now) && r.measured.After(now) {
		return r.measured
	}
	return now
}

// find returns a saga as it stands now in this batch, or nil if there is none.
func (w *batchState) find(id string) (*sagaState, error) {
	if s, known := w.sagas[id]; known {
		return s, nil
	}
	if fault := w.loaded.Unreadable[id]; fault != nil {
		w.sagas[id] = &sagaState{fault: fault}
		return w.sagas[id], nil //nolint:nilerr // as above: the saga's alone
	}
	instance, found := w.loaded.Instances[id]
	if !found {
		return nil, nil //nolint:nilnil // an absent saga is no error here
	}
	s := &sagaState{instance: instance}
	def, err := w.definitions.get(instance.Definition, instance.Version)
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
	w.sagas[id] = s
	w.order = append(w.order, id)
	w.bytes += sizeOf(&instance)
	return s, nil
}

func sizeOf(in *saga.Instance) int {
	bytes := len(in.Data)
	for i := range in.Steps {
		bytes += len(in.Steps[i].Output)
	}
	return bytes
}

// apply makes a decision the saga's present state, and takes down what else it says. After an error nothing has changed.
func (w *batchState) apply(s *sagaState, decision saga.Decision) error {
	if !decision.Changed {
		s.moved = s.moved || !decision.Next.WakeAt.Equal(s.instance.WakeAt)
		s.instance = decision.Next
		return nil
	}
	known := len(w.commands)
	for _, command := range decision.Commands {
		encoded, err := wire.EncodeCommand(&decision.Next, command)
		if err != nil {
			w.commands = w.commands[:known]
			return err
		}
		w.commands = append(w.commands, encoded)
		w.bytes += len(encoded.Body)
	}
	s.changed = true
	s.instance = decision.Next
	s.entries = append(s.entries, decision.Entries...)
	return nil
}

func (w *batchState) addDeadLetter(r *request, reason, message string) {
	dead := *r.dead
	explain(&dead, reason, message)
	w.deadLetters = append(w.deadLetters, dead)
}

// changes is what the batch has to write.
func (w *batchState) changes() (record.Changes, error) {
	changes := record.Changes{Commands: w.commands, DeadLetters: w.deadLetters, Abandoned: w.abandoned}
	created, updated, entries := w.count()
	changes.Created, changes.Updated = make([]saga.Instance, 0, created), make([]saga.Instance, 0, updated)
	changes.Entries = make([]record.Entry, 0, entries)
	for _, id := range w.order {
		s := w.sagas[id]
		switch {
		case s.created:
			changes.Created = append(changes.Created, s.instance)
		case s.changed || s.moved:
			changes.Updated = append(changes.Updated, s.instance)
		}
		for _, entry := range s.entries {
			changes.Entries = append(changes.Entries, record.Entry{SagaID: id, Entry: entry})
		}
	}
	return changes, nil
}

// count says how much there is to write: instances are large, and lists of them should not grow step by step.
func (w *batchState) count() (created, updated, entries int) {
	for _, s := range w.sagas {
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
