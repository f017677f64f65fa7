package modelcheck

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// special is what sets one step of a shape apart from the others.
type special uint8

const (
	plain special = iota
	signal
	signalTimeout
	delay
	until
	child
	condition // a step with commands, which may be skipped
)

func (s special) String() string {
	return [...]string{"", "signal", "signal timeout", "delay", "until", "child", "condition"}[s]
}

// specials returns the outline with each step made special in each way, or as it is.
func (o outline) specials(wanted bool) []outline {
	if !wanted {
		return []outline{o}
	}
	var all []outline
	for i := range o.after {
		for kind := signal; kind <= condition; kind++ {
			o.special, o.kind = i, kind
			all = append(all, o)
		}
	}
	return all
}

const (
	// worldData is the data of every saga: the condition holds, and the time to wait for is to come.
	worldData = `{"c":true,"at":"2026-01-01T01:00:00Z"}`
	// unfit is an output that breaks the schema of special steps.
	unfit = `{"bad":true}`
	// fit is one that does not. outputName is the member of the data that it becomes.
	fit        = `{"v":1}`
	outputName = "w"
)

// addSpecial adds the special step to a definition.
func (o outline) addSpecial(b *saga.Builder, i int, place []saga.StepOption) {
	name := stepName(i)
	place = append(place, saga.AsKind(o.kinds[i]), saga.OutputAs(outputName), saga.OutputSchema(json.RawMessage(`{}`)))
	switch o.kind {
	case signalTimeout:
		b.WaitForSignal(name, "go", append(place, saga.Timeout(time.Hour))...)
	case signal:
		b.WaitForSignal(name, "go", place...)
	case delay:
		b.Delay(name, time.Hour, place...)
	case until:
		b.WaitUntil(name, "/at", place...)
	case child:
		b.Child(name, "child", append(place, saga.Input(map[string]saga.Pointer{"c": "/c"}))...)
	default:
		place = append(place, saga.When("data.c"), saga.Input(map[string]saga.Pointer{"c": "/c"}), saga.Retry(saga.Attempts(1)))
		b.Step(name, "q."+name, place...)
	}
}

// oracle decides conditions by the data that a move brings. It accepts every output but unfit.
type oracle struct{ asked int }

// Condition implements saga.Compiler.
func (o *oracle) Condition(string) (saga.Condition, error) { return o, nil }

// Schema implements saga.Compiler.
func (o *oracle) Schema(saga.RawSchema) (saga.Schema, error) { return o, nil }

// Holds implements saga.Condition.
func (o *oracle) Holds(data json.RawMessage) (bool, error) {
	o.asked++
	switch {
	case strings.Contains(string(data), `"c":true`):
		return true, nil
	case strings.Contains(string(data), `"c":false`):
		return false, nil
	default:
		return false, errors.New("the data has no c")
	}
}

// Check implements saga.Schema.
func (o *oracle) Check(value json.RawMessage) saga.Faults {
	if string(value) == unfit {
		return saga.Faults{{Pointer: "/bad", Message: "must not be"}}
	}
	return nil
}

// otherwise returns a move with the other data on which its decision depended.
func (w *search) otherwise(m Move, entries []saga.Entry) []Move {
	if m.Data != nil {
		return nil
	}
	var all []Move
	if w.oracle.asked > 0 {
		for _, data := range []string{`{"c":false}`, `{}`} {
			m.Data = json.RawMessage(data)
			all = append(all, m)
		}
	}
	for _, entry := range entries {
		if entry.Type == saga.EntryStepWaits && w.def.Steps[stepOf(w.def, entry.Step)].Wait() == saga.WaitUntil {
			for _, data := range []string{`{"at":"2026-01-01T00:00:00Z"}`, `{}`} {
				m.Data = json.RawMessage(data)
				all = append(all, m)
			}
		}
	}
	return all
}

// normalizeWait keeps of a signal whether it was taken, and of children whether there were earlier ones.
func normalizeWait(s *saga.StepState) {
	if s.Signal != nil {
		given := *s.Signal
		given.ID, given.Key, given.Hash, given.At = "given", "key", []byte("body"), now
		s.Signal = &given
	}
	if len(s.EarlierSignals) > 0 {
		s.EarlierSignals = []saga.GivenSignal{{ID: "earlier", Key: "earlier key", Hash: []byte("body"), At: now}}
	}
	s.ChildRevision = min(s.ChildRevision, 1)
	switch {
	case len(s.Children) > 1:
		s.Children = []string{"earlier child", "child"}
	case len(s.Children) == 1:
		s.Children = []string{"child"}
	}
}

// waitKey adds what normalizeWait keeps to the key of a step.
func waitKey(b *bits, s *saga.StepState) {
	given := 0
	switch {
	case s.Signal == nil:
	case s.Signal.Taken:
		given = 1
	case s.Signal.Error == nil:
		given = 2
	default:
		given = 3
	}
	b.put(given, 2)
	b.put(len(s.Children), 2)
	b.flags(s.EffectKnown, len(s.EarlierSignals) > 0, s.ChildRevision > 0, s.Waiting != saga.NoWait, s.Oversized && s.Error != nil && s.Error.Code == saga.CodeInvalidOutput)
}
