package saga

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Codes of failures of steps that wait, and of conditions.
const (
	CodeSignalTimeout   = "signal_timeout"   // the signal did not come in time
	CodeInvalidTime     = "invalid_time"     // the data has no time where the step looks for it
	CodeConditionFailed = "condition_failed" // the condition of the step has no value for the data
)

// waitLook is how often a saga wakes that waits without a limit, for a signal or a child: every saga that is not stuck has a
// time to wake.
const waitLook = 24 * time.Hour

// decideCondition evaluates the condition of step i when its turn comes. It returns false if that settles the step.
func (t *transition) decideCondition(i int) bool {
	s := &t.next.Steps[i]
	if t.def.Steps[i].When == "" || s.Attempts > 0 {
		return true
	}
	holds, err := t.holds(i)
	switch {
	case err != nil:
		t.fail(i, CodeConditionFailed, t.conditionFault(err))
		return false
	case !holds:
		s.Status, s.Error = StepSkipped, nil
		s.close(t.now)
		t.progress()
		t.record(EntryStepSkipped, s.Name, 0, map[string]any{"reason": "its condition is false"})
		return false
	default:
		return true
	}
}

// conditionFault says why a condition has no value. The words of CEL may quote the data, in a spelling of their own.
func (t *transition) conditionFault(err error) string {
	if t.def.Within(&t.next).hidden != nil {
		return "the condition has no value for the data; why is not shown, because a part of the data is sensitive"
	}
	return err.Error()
}

// fail ends step i finally, without an effect.
func (t *transition) fail(i int, code, message string) {
	s := &t.next.Steps[i]
	s.Error = &StepError{Code: code, Message: message}
	s.Waiting = NoWait
	s.DeadlineAt = time.Time{}
	t.progress()
	t.failFinally(i)
}

// startWait lets step i wait. It ends at once if what it waits for has come before.
func (t *transition) startWait(i int, wait Wait) {
	step, s := &t.def.Steps[i], &t.next.Steps[i]
	s.Waiting = wait
	t.progress()
	detail := map[string]any{"waits_for": string(wait)}
	switch wait {
	case WaitForSignal:
		s.DeadlineAt = t.in(waitLook)
		if step.Timeout > 0 {
			s.DeadlineAt = t.in(asDuration(step.Timeout))
		}
		detail["signal"] = step.Signal
	case WaitDelay:
		s.DeadlineAt = t.in(asDuration(step.Delay))
	case WaitUntil:
		at, err := timeAt(t.next.Data, step.Until, t.now)
		if err != nil {
			t.record(EntryStepWaits, s.Name, s.Attempts, detail)
			t.fail(i, CodeInvalidTime, fmt.Sprintf("%s: %s", step.Until, err))
			return
		}
		s.DeadlineAt = at
	case WaitForChild:
		detail["child"] = t.startChild(i)
	}
	if wait != WaitForChild && (wait != WaitForSignal || step.Timeout > 0) {
		detail["until"] = s.DeadlineAt
	}
	t.record(EntryStepWaits, s.Name, s.Attempts, detail)
	if s.Signal != nil {
		t.takeSignal(i)
		return
	}
	t.wakeWait(i)
}

// timeAt returns the RFC 3339 time at a pointer in the data, with the precision of the stores.
func timeAt(data json.RawMessage, pointer Pointer, now time.Time) (time.Time, error) {
	raw, found := newDocument(data).find(pointer)
	if !found {
		return time.Time{}, errors.New("the data has no such member")
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return time.Time{}, errors.New("not a string with an RFC 3339 time")
	}
	at, err := time.Parse(time.RFC3339, text)
	if at = at.UTC(); err != nil || at.Year() < 1 {
		return time.Time{}, errors.New("not an RFC 3339 time")
	}
	if at.After(now.Add(MaxWait)) {
		return time.Time{}, fmt.Errorf("more than %s ahead", MaxWait)
	}
	return at.Truncate(time.Microsecond), nil
}

// MaxWait is how far ahead the time of a step with Until may be: a hundred years.
const MaxWait = 100 * 365 * 24 * time.Hour

// wakeWait ends the wait of step i if its time has come.
func (t *transition) wakeWait(i int) {
	s := &t.next.Steps[i]
	if s.Waiting == NoWait || !t.active(i) || !t.reached(s.DeadlineAt) {
		return
	}
	if s.Waiting == WaitForChild || s.Waiting == WaitForSignal && t.def.Steps[i].Timeout == 0 {
		s.DeadlineAt, t.postponed = t.in(waitLook), true
		if s.Waiting == WaitForChild {
			t.looks = append(t.looks, i)
		}
		return
	}
	if s.Waiting == WaitForSignal {
		limit := asDuration(t.def.Steps[i].Timeout)
		t.fail(i, CodeSignalTimeout, fmt.Sprintf("no signal %q within %s", t.def.Steps[i].Signal, limit))
		return
	}
	id := CommandID{Saga: t.next.ID, Step: s.Name, Direction: Execute, Round: s.execution(), Attempt: s.Attempts}
	t.executionSucceeded(i, Reply{Command: id, Succeeded: true}) // no output, which its schema may not allow
}

// interruptible reports whether the step waits for something that can be given up at once. A child has to be compensated.
func (s *StepState) interruptible() bool { return s.Waiting != NoWait && s.Waiting != WaitForChild }

// giveUpWait ends the wait of step i because the saga turns back. The step has had no effect.
func (t *transition) giveUpWait(i int) {
	s := &t.next.Steps[i]
	s.Error = &StepError{Code: CodeCancelled, Message: "the saga turned back while the step waited"}
	s.Waiting = NoWait
	t.giveUp(i)
}

// spares reports whether the rewind in progress leaves the wait of step i alone.
func (d *Definition) spares(in *Instance, i int) bool {
	return in.Phase == PhaseBackward && in.Steps[i].Waiting != NoWait && in.Rewind != nil && !d.rewinds(in, i)
}

// waits reports whether some step waits for something that is meant to take its time.
func (in *Instance) waits() bool {
	for i := range in.Steps {
		if in.Steps[i].Waiting != NoWait {
			return true
		}
	}
	return false
}

// CodeInputTooLarge is the error of a step whose input exceeds its limit: pointers may repeat parts of the data.
const CodeInputTooLarge = "input_too_large"

// largeInput returns the failure of an input that step i cannot get, or nil.
func (t *transition) largeInput(i int, input json.RawMessage) *ReplyError {
	limit := MaxInputBytes
	if t.def.Steps[i].Saga != "" {
		limit = MaxDataBytes
	}
	if len(input) <= limit {
		return nil
	}
	return &ReplyError{Code: CodeInputTooLarge, Message: fmt.Sprintf("the input of the step has %d bytes, the limit is %d", len(input), limit)}
}

// commandData returns the part of the data that the commands of step i get.
func (t *transition) commandData(i int) json.RawMessage {
	input := t.def.Steps[i].Input
	if input == nil {
		return t.next.Data
	}
	data := newDocument(t.next.Data)
	given := make(map[string]json.RawMessage, len(input))
	for name, pointer := range input {
		if value, found := data.find(pointer); found {
			given[name] = value
		}
	}
	encoded, err := EncodeJSON(given)
	if err != nil {
		return json.RawMessage("{}") // cannot be: every member was decoded from valid JSON
	}
	return encoded
}
