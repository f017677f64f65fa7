package checker

import (
	"fmt"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Step is the part of a step's definition that the rules need.
type Step struct {
	Name          string
	After         []string // the steps directly before it
	Compensatable bool     // it has a compensation
	Pivot         bool
}

// Effect is one line of a service's ledger. Saga.Effects are in commit order.
type Effect struct {
	Step        string
	Compensated bool // the effect of a compensation rather than of the step
}

// Saga is everything known about one saga at the end.
type Saga struct {
	ID       string
	Steps    []Step
	Answered saga.Status // from the API
	Stored   saga.Status // from its row
	Reason   saga.AttentionReason
	History  []saga.Entry
	Effects  []Effect
}

// Violation is a broken rule.
type Violation struct {
	Saga   string
	Rule   string
	Detail string
}

// String returns the violation on one line.
func (v Violation) String() string { return fmt.Sprintf("%s: %s (%s)", v.Saga, v.Rule, v.Detail) }

// The rules.
const (
	RuleKnown       = "an acknowledged start is stored"
	RuleGapless     = "the history counts from one without gaps"
	RuleAgreement   = "answer, row and history agree"
	RuleOneEnd      = "a saga ends once, and no entry follows its end"
	RuleSettled     = "a saga ends, or asks for an operator"
	RuleOnce        = "an effect takes place once"
	RuleOrder       = "a step takes effect after the steps before it"
	RuleCompleted   = "completed: every step took effect and none was compensated"
	RuleCompensated = "compensated: every effect that can be compensated was"
	RuleNothing     = "only what took effect is compensated"
	RuleReverse     = "effects are compensated in reverse order"
	RulePivot       = "past the pivot no step is compensated"
	RuleOutbox      = "at rest the outbox is empty"
	RuleQueues      = "at rest the queues are empty"
	RuleDeadLetter  = "a dead letter has a reason"
)

// Violations checks the saga against every rule.
func (s Saga) Violations() []Violation {
	c := newCheck(s)
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
		// an operator closed it as it was
	default:
		if s.Answered != saga.Stuck || s.Reason == "" {
			c.broken(RuleSettled, "it is %s, attention %q", s.Answered, s.Reason)
		}
	}
	return c.found
}

// Run is everything known about all sagas at the end.
type Run struct {
	Acknowledged []string        // ids of sagas whose starts were confirmed to a client
	Sagas        map[string]Saga // by id
	Outbox       int             // rows
	Queues       map[string]int  // messages
	DeadLetters  []string        // the reason of each
}

// Violations checks all sagas, the queues and the outbox against every rule.
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
			found = append(found, Violation{Rule: RuleDeadLetter, Detail: "it is empty"})
		}
	}
	return found
}
