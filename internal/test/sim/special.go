package sim

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// childDefinition is the name of the definition whose sagas others start as children.
const childDefinition = "definition-0"

// newStep is a step that is being drawn.
type newStep struct {
	sim          *Simulation
	name         string
	queue        string
	options      []saga.StepOption
	compensation saga.StepOption // nil: it has no compensation
	wait         saga.Wait
}

// newStep draws what a step of a definition does. Some wait, some have a condition.
func (s *Simulation) newStep(definition, i int) *newStep {
	one := &newStep{sim: s, name: fmt.Sprintf("s%d", i), queue: queues()[s.chance.IntN(len(queues()))]}
	if s.hit(0.3) {
		waits := []saga.Wait{saga.WaitForSignal, saga.WaitDelay, saga.WaitUntil, saga.WaitForChild}
		if definition == 0 {
			waits = waits[:3]
		}
		one.wait = waits[s.chance.IntN(len(waits))]
	}
	if s.hit(0.15) {
		one.options = append(one.options, saga.When(flag))
	}
	return one
}

// add adds the step to a definition.
func (n *newStep) add(b *saga.Builder, kind saga.Kind, place, retry saga.StepOption) {
	s, options := n.sim, append(n.options, place)
	if n.compensation != nil && n.wait != saga.WaitForChild {
		options = append(options, saga.CompensatedBy(n.queue+".compensate-"+n.name), n.compensation,
			saga.CompensationTimeout(s.between(time.Second, 5*time.Second)))
	}
	if n.wait != saga.NoWait {
		options = append(options, saga.AsKind(kind))
	}
	switch n.wait {
	case saga.WaitForSignal:
		if s.hit(0.5) {
			options = append(options, saga.Timeout(s.between(5*time.Second, 30*time.Second)))
		}
		b.WaitForSignal(n.name, "signal-"+n.name, options...)
	case saga.WaitDelay:
		b.Delay(n.name, s.between(100*time.Millisecond, 10*time.Second), options...)
	case saga.WaitUntil:
		b.WaitUntil(n.name, "/at", options...)
	case saga.WaitForChild:
		input := map[string]saga.Pointer{"request": "/request", "at": "/at", "flag": "/flag"}
		b.Child(n.name, childDefinition, append(options, saga.Input(input), saga.OutputAs("child-"+n.name))...)
	default:
		options = append(options, saga.Timeout(s.between(time.Second, 5*time.Second)), retry)
		add := b.Step
		switch kind {
		case saga.Pivot:
			add = b.Pivot
		case saga.Retriable:
			add = b.Retriable
		}
		add(n.name, n.queue+"."+n.name, options...)
	}
}

// flag is the only condition: the data has that member, and it is true.
const flag = "data.flag"

// flags compiles the condition.
type flags struct{}

// Condition implements saga.Compiler.
func (flags) Condition(string) (saga.Condition, error) { return flags{}, nil }

// Schema implements saga.Compiler. No definition has one.
func (flags) Schema(saga.RawSchema) (saga.Schema, error) { return nil, errors.New("no schemas") }

// conditionWork makes definitions with conditions costly, so that their sagas change lanes.
const conditionWork = 30 * time.Millisecond

// Evaluate implements saga.MeteredCondition.
func (f flags) Evaluate(data json.RawMessage) (bool, saga.Work, error) {
	holds, err := f.Holds(data)
	return holds, conditionWork, err
}

// Holds implements saga.Condition.
func (flags) Holds(data json.RawMessage) (bool, error) {
	var given struct {
		Flag *bool `json:"flag"`
	}
	if err := json.Unmarshal(data, &given); err != nil || given.Flag == nil {
		return false, errors.New("the data has no flag")
	}
	return *given.Flag, nil
}

// data draws the data of the n-th saga: a time to wait for, perhaps past or missing, and what conditions find.
func (s *Simulation) data(n int) json.RawMessage {
	data := `{"request":` + strconv.Itoa(n)
	if s.hit(0.97) {
		at := s.time().Add(s.between(-5*time.Second, 20*time.Second))
		data += `,"at":"` + at.Format(time.RFC3339Nano) + `"`
	}
	if s.hit(0.97) {
		data += `,"flag":` + strconv.FormatBool(s.hit(0.6))
	}
	return json.RawMessage(data + "}")
}

// signalCall is a signal that was given, perhaps by several requests with the same idempotency key.
type signalCall struct {
	actor    string
	step     string
	accepted bool
}

// signalAll makes callers give the signals for which the steps of a saga wait, until it ends.
func (s *Simulation) signalAll(d *sagaEvidence) {
	for i := range d.def.Steps {
		if d.def.Steps[i].Signal == "" {
			continue
		}
		s.after(s.operators, s.between(0, 10*time.Second), func() { s.spawn(s.operators, func() { s.signalStep(d, i) }) })
	}
}

// signalStep gives the signals of a step: early, when it waits, and now and then unasked.
func (s *Simulation) signalStep(d *sagaEvidence, i int) {
	for !d.instance.Status.Terminal() {
		if d.instance.Steps[i].Waiting == saga.WaitForSignal || s.hit(0.2) {
			s.signal(d, i)
		}
		s.sleep(s.between(time.Second, 10*time.Second))
	}
	if s.hit(0.2) {
		s.signal(d, i) // too late
	}
}

// signal gives one signal, by one request or more with the same key.
func (s *Simulation) signal(d *sagaEvidence, i int) {
	step := &d.def.Steps[i]
	given := saga.Signal{Name: step.Signal, Actor: s.newActor(), Output: json.RawMessage(`{"signal-` + step.Name + `":` + strconv.Itoa(s.chance.IntN(1000)) + `}`)}
	given.Key, given.Hash = given.Actor, []byte("body")
	if s.hit(0.1) {
		given.Output, given.Error = nil, &saga.StepError{Code: "denied", Message: "simulated"}
	}
	at := len(d.signals)
	d.signals = append(d.signals, signalCall{actor: given.Actor, step: step.Name})
	for {
		given.ID = s.newID()
		var err error
		heard := s.callReplica(func(r *replica) { _, err = r.engine.Signal(s.patience(), d.id, given) })
		one := &d.signals[at]
		var refusal *saga.Refusal
		switch {
		case !heard || errors.Is(err, record.ErrUnavailable):
		case errors.As(err, &refusal):
			return
		case err != nil:
			s.evidence.violate(d.id, "signals are answered", fmt.Sprintf("%s: %v", step.Name, err))
			return
		default:
			one.accepted = true
			if !s.hit(0.3) {
				return
			}
		}
		s.sleep(s.between(10*time.Millisecond, 2*time.Second))
	}
}
