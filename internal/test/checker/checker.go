package checker

import (
	"fmt"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Step is what the judge needs to know of a step's plan.
type Step struct {
	Name     string
	After    []string // the steps directly before it
	Undoable bool     // it has a compensation
	Pivot    bool
}

// Effect is one line of the services' ledger: something that took place. Saga's Effects are in the order in which they
// were committed.
type Effect struct {
	Step   string
	Undone bool // a compensation's effect; else the step's own
}

// Saga is all that is known of one saga at the end.
type Saga struct {
	ID       string
	Steps    []Step
	Answered saga.Status // what the API says
	Stored   saga.Status // what the row says
	Reason   saga.AttentionReason
	History  []saga.Entry
	Effects  []Effect
}

// Violation is a rule that was broken.
type Violation struct {
	Saga   string
	Rule   string
	Detail string
}

// String is the violation in one line.
func (v Violation) String() string { return fmt.Sprintf("%s: %s (%s)", v.Saga, v.Rule, v.Detail) }

// The rules.
const (
	RuleKnown      = "an acknowledged start is there"
	RuleGapless    = "the history counts from one without gaps"
	RuleAgreement  = "answer, row and history agree"
	RuleOneEnd     = "a saga ends once, and nothing comes after its end"
	RuleSettled    = "a saga ends, or asks for a person"
	RuleOnce       = "an effect takes place once"
	RuleOrder      = "a step takes effect after the steps before it"
	RuleCompleted  = "completed: every step took effect and none was undone"
	RuleUndone     = "compensated: every effect that can be undone was"
	RuleNothing    = "only what took effect is undone"
	RuleReverse    = "effects are undone in reverse order"
	RulePivot      = "past the pivot nothing is undone"
	RuleOutbox     = "at rest the outbox is empty"
	RuleQueues     = "at rest the queues are empty"
	RuleDeadLetter = "a dead letter has a reason"
)

// Violations holds the saga against every rule.
func (s Saga) Violations() []Violation {
	c := newTrial(s)
	c.history()
	c.end()
	c.effects()
	c.order()
	switch s.Answered {
	case saga.Completed:
		c.completed()
	case saga.Compensated:
		c.compensated()
	case saga.Abandoned:
		// a person closed it as it stood
	default:
		if s.Answered != saga.Stuck || s.Reason == "" {
			c.broken(RuleSettled, "it is %s, attention %q", s.Answered, s.Reason)
		}
	}
	return c.found
}

// Run is all that is known of everything at the end.
type Run struct {
	Acknowledged []string        // ids of sagas whose starts were confirmed to a client
	Sagas        map[string]Saga // by id
	Outbox       int             // rows
	Queues       map[string]int  // messages
	DeadLetters  []string        // the reason of each
}

// Violations holds everything against every rule.
func (r Run) Violations() []Violation {
	var found []Violation
	for _, id := range r.Acknowledged {
		if _, there := r.Sagas[id]; !there {
			found = append(found, Violation{Saga: id, Rule: RuleKnown, Detail: "it is not in the database"})
		}
	}
	for _, s := range r.Sagas {
		found = append(found, s.Violations()...)
	}
	if r.Outbox > 0 {
		found = append(found, Violation{Rule: RuleOutbox, Detail: fmt.Sprintf("%d rows", r.Outbox)})
	}
	for queue, messages := range r.Queues {
		if messages > 0 {
			found = append(found, Violation{Rule: RuleQueues, Detail: fmt.Sprintf("%s holds %d", queue, messages)})
		}
	}
	for _, reason := range r.DeadLetters {
		if reason == "" {
			found = append(found, Violation{Rule: RuleDeadLetter, Detail: "none is given"})
		}
	}
	return found
}
