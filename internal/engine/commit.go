package engine

import (
	"iter"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Commit is what one committed transaction has decided.
type Commit struct {
	Events int               // that were decided
	Stored int               // lifecycle events
	Sagas  iter.Seq[Decided] // those that changed
}

// Decided is one saga that a transaction has changed. Its values must not be modified.
type Decided struct {
	Definition *saga.Definition
	Before     *saga.Instance // nil: the transaction created the saga
	After      *saga.Instance
	Entries    []saga.Entry
	WakeAt     time.Time // when the timer that changed the saga was due; zero: no timer did
}

// decided yields the sagas that the batch has changed.
func (b *batchState) decided(yield func(Decided) bool) {
	for _, id := range b.order {
		s := b.sagas[id]
		if s.def == nil || len(s.entries) == 0 {
			continue
		}
		if !yield(Decided{Definition: s.def, Before: s.before, After: &s.instance, Entries: s.entries, WakeAt: s.wakeAt}) {
			return
		}
	}
}
