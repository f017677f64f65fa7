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

// batchState decides the requests of one batch on what a transaction has loaded. Every try makes a new one: the same
// requests on the same sagas give the same changes.
type batchState struct {
	engine      *Engine
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
	work        time.Duration // of the conditions and schemas so far
	withdrawn   []saga.CommandID
	answered    []saga.CommandID // of sagas on which no decision is possible
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
		engine:      e,
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
	b.add(id, s)
	b.bytes += sizeOf(&instance)
	return s, nil
}

func (b *batchState) add(id string, s *sagaState) {
	b.sagas[id] = s
	b.order = append(b.order, id)
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
