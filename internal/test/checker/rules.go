package checker

import (
	"fmt"
	"slices"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// check is the check of one saga.
type check struct {
	Saga
	done          map[string][]int // step → positions of its effects
	compensations map[string][]int // step → positions of the effects of its compensations
	found         []Violation
}

func newCheck(s Saga) *check {
	c := &check{Saga: s, done: make(map[string][]int), compensations: make(map[string][]int)}
	for position, effect := range s.Effects {
		if effect.Compensated {
			c.compensations[effect.Step] = append(c.compensations[effect.Step], position)
		} else {
			c.done[effect.Step] = append(c.done[effect.Step], position)
		}
	}
	return c
}

func (c *check) broken(rule, format string, args ...any) {
	c.found = append(c.found, Violation{Saga: c.ID, Rule: rule, Detail: fmt.Sprintf(format, args...)})
}

func (c *check) history() {
	for i, entry := range c.History {
		if entry.Seq != int64(i)+1 {
			c.broken(RuleGapless, "entry %d has number %d", i+1, entry.Seq)
			return
		}
	}
}

// ends maps the entries that end a saga to its statuses.
func ends() map[saga.EntryType]saga.Status {
	return map[saga.EntryType]saga.Status{
		saga.EntryCompleted: saga.Completed, saga.EntryCompensated: saga.Compensated, saga.EntryAbandoned: saga.Abandoned,
	}
}

// afterEnd returns the entries that may follow an end: late events, and an operator who handles them.
func afterEnd() []saga.EntryType {
	return []saga.EntryType{saga.EntryStepLateEffect, saga.EntryAttention, saga.EntryAcknowledged}
}

// end compares the end in the history with the API and the row.
func (c *check) end() {
	var ended saga.Status
	for _, entry := range c.History {
		status, terminal := ends()[entry.Type]
		switch {
		case entry.Type == saga.EntryReopened:
			ended = ""
		case terminal && ended != "":
			c.broken(RuleOneEnd, "%s, and %s again with entry %d", ended, status, entry.Seq)
		case terminal:
			ended = status
		case ended != "" && !slices.Contains(afterEnd(), entry.Type):
			c.broken(RuleOneEnd, "%s comes after %s, as entry %d", entry.Type, ended, entry.Seq)
		}
	}
	answered := c.Answered
	if !answered.Terminal() {
		answered = ""
	}
	if c.Answered != c.Stored || ended != answered {
		c.broken(RuleAgreement, "the API says %q, the row %q, the history %q", c.Answered, c.Stored, ended)
	}
}

func (c *check) effects() {
	for step, times := range c.done {
		if len(times) > 1 {
			c.broken(RuleOnce, "step %s took effect %d times", step, len(times))
		}
	}
	for step, times := range c.compensations {
		switch {
		case len(times) > 1:
			c.broken(RuleOnce, "step %s was compensated %d times", step, len(times))
		case len(c.done[step]) == 0 || times[0] < c.done[step][0]:
			c.broken(RuleNothing, "step %s was compensated, but had taken no effect", step)
		}
	}
}

// order compares each pair of steps of which one comes directly after the other. The rest follows from these.
func (c *check) order() {
	for _, step := range c.Steps {
		for _, before := range step.After {
			if c.skipped(before) || c.skipped(step.Name) {
				continue
			}
			first, second := c.done[before], c.done[step.Name]
			if len(second) > 0 && (len(first) == 0 || first[0] > second[0]) {
				c.broken(RuleOrder, "step %s before step %s", step.Name, before)
			}
			first, second = c.compensations[before], c.compensations[step.Name]
			if len(first) > 0 && len(second) > 0 && first[0] < second[0] {
				c.broken(RuleReverse, "step %s was compensated before step %s, which came after it", before, step.Name)
			}
			if len(first) > 0 && len(second) == 0 && len(c.done[step.Name]) > 0 && c.compensatable(step.Name) {
				c.broken(RuleReverse, "step %s was compensated, but step %s, which came after it, was not", before, step.Name)
			}
		}
		if step.Pivot && len(c.done[step.Name]) > 0 && len(c.compensations) > 0 && !c.skipped(step.Name) {
			c.broken(RulePivot, "step %s took effect, but %d steps were compensated", step.Name, len(c.compensations))
		}
	}
}

// skipped reports whether an operator skipped the step.
func (c *check) skipped(step string) bool {
	return slices.ContainsFunc(c.History, func(e saga.Entry) bool {
		return e.Type == saga.EntryStepSkipped && e.Step == step
	})
}

func (c *check) compensatable(name string) bool {
	return slices.ContainsFunc(c.Steps, func(s Step) bool { return s.Name == name && s.Compensatable })
}

func (c *check) completed() {
	for _, step := range c.Steps {
		if len(c.done[step.Name]) == 0 && !c.skipped(step.Name) {
			c.broken(RuleCompleted, "step %s took no effect", step.Name)
		}
		if len(c.compensations[step.Name]) > 0 {
			c.broken(RuleCompleted, "step %s was compensated", step.Name)
		}
	}
}

func (c *check) compensated() {
	for _, step := range c.Steps {
		standing := len(c.done[step.Name]) > 0 && len(c.compensations[step.Name]) == 0
		switch {
		case !standing || c.skipped(step.Name) || c.Reason == saga.LateEffect:
		case step.Pivot:
			c.broken(RulePivot, "the saga is compensated, but step %s took effect", step.Name)
		case step.Compensatable:
			c.broken(RuleCompensated, "step %s took effect and was not compensated", step.Name)
		}
	}
}
