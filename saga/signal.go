package saga

import (
	"encoding/json"
	"slices"
	"time"
)

// Signal reports what the world outside tells the saga: an approval, the callback of a provider.
type Signal struct {
	ID     string // makes it count once, even if it is applied again after a commit with an unknown outcome
	Name   string
	Output json.RawMessage // a JSON object, or nil
	Error  *StepError      // nil: the step succeeds
	Key    string          // idempotency key of the call; empty: none
	Hash   []byte          // of the call's content
	Actor  string

	IfRevision int64 // 0: any revision
}

func (Signal) cause() {}

// GivenSignal is the signal that a step waits for, or has waited for.
type GivenSignal struct {
	ID     string          `json:"id,omitempty"`
	Key    string          `json:"key,omitempty"`
	Hash   []byte          `json:"hash,omitempty"`
	At     time.Time       `json:"at"`
	Output json.RawMessage `json:"output,omitempty"` // until the step takes it
	Error  *StepError      `json:"error,omitempty"`
	Taken  bool            `json:"taken,omitempty"`
}

// signal gives a signal to the step that waits for it, or keeps it until the step does.
func (t *transition) signal(given Signal) {
	t.actor = given.Actor
	i := t.def.signalStep(given.Name)
	if i < 0 {
		t.refuse(RefusedUnknownSignal, "no step of the definition waits for this signal")
		return
	}
	s := &t.next.Steps[i]
	if known := s.givenBefore(given); known != nil {
		if known.ID == given.ID || string(known.Hash) == string(given.Hash) {
			t.ignore(ignoredRepeated)
			return
		}
		t.refuse(RefusedIdempotencyConflict, "the idempotency key was used with another body for this signal")
		return
	}
	before := s.Signal
	switch {
	case given.IfRevision != 0 && given.IfRevision != t.next.Revision:
		t.refuse(RefusedRevisionMoved, "the saga is at revision %d, not %d", t.next.Revision, given.IfRevision)
	case t.next.Phase == PhaseEnded || t.next.ReopenedFrom != "":
		t.refuse(RefusedNotApplicable, "the saga has ended")
	case before != nil:
		t.refuse(RefusedSignalTaken, "the signal was given before")
	case !t.awaits(i):
		t.refuse(RefusedNotApplicable, "step %s is %s and waits for no signal any more", s.Name, s.Status)
	default:
		t.give(i, given)
	}
}

// givenBefore returns the signal of the same request or with the same idempotency key, or nil.
func (s *StepState) givenBefore(given Signal) *GivenSignal {
	same := func(known *GivenSignal) bool {
		return known.ID != "" && known.ID == given.ID || given.Key != "" && known.Key == given.Key
	}
	if s.Signal != nil && same(s.Signal) {
		return s.Signal
	}
	for i := range s.EarlierSignals {
		if same(&s.EarlierSignals[i]) {
			return &s.EarlierSignals[i]
		}
	}
	return nil
}

// MaxEarlierSignals is how many signals from before a retry or a rewind a step remembers, the last ones.
const MaxEarlierSignals = 10

// earlierSignals returns the signals that count no more once the step waits for a new one.
func (s *StepState) earlierSignals() []GivenSignal {
	if s.Signal == nil {
		return s.EarlierSignals
	}
	all := append(slices.Clone(s.EarlierSignals), GivenSignal{ID: s.Signal.ID, Key: s.Signal.Key, Hash: s.Signal.Hash, At: s.Signal.At})
	return all[max(0, len(all)-MaxEarlierSignals):]
}

// awaits reports whether step i waits for its signal, or will. A step that must succeed takes a signal that comes late, if it has waited:
// a condition that has no value is an operator's to mend.
func (t *transition) awaits(i int) bool {
	s := &t.next.Steps[i]
	switch s.Status {
	case StepPending:
		return t.next.Phase == PhaseScheduled || t.next.Phase == PhaseForward || t.next.Rewind != nil
	case StepRunning:
		return true
	default:
		return s.Status == StepFailed && s.Attempts > 0 && t.next.Phase == PhaseForward && t.def.Steps[i].Kind == Retriable
	}
}

func (t *transition) give(i int, given Signal) {
	s := &t.next.Steps[i]
	if given.Error == nil {
		if _, fault := t.takeOutput(i, Reply{Output: given.Output}); fault != nil {
			t.refuse(fault.Code, "output: %s", fault.Message)
			return
		}
	}
	s.Signal = &GivenSignal{ID: given.ID, Key: given.Key, Hash: given.Hash, At: t.now, Output: given.Output, Error: given.Error}
	t.progress()
	t.record(EntrySignalGiven, s.Name, 0, map[string]any{"signal": given.Name})
	if s.Status != StepPending {
		t.takeSignal(i)
	}
}

// takeSignal ends the wait of step i with the signal that was given.
func (t *transition) takeSignal(i int) {
	s := &t.next.Steps[i]
	given := *s.Signal
	output := given.Output
	given.Output, given.Taken = nil, true
	s.Signal = &given
	if given.Error != nil {
		t.fail(i, given.Error.Code, given.Error.Message)
		return
	}
	merged, fault := t.takeOutput(i, Reply{Output: output})
	if fault != nil { // the data has grown since the signal was given
		t.fail(i, fault.Code, fault.Message)
		return
	}
	t.succeed(i, s.Attempts, merged, Reply{Output: output})
}
