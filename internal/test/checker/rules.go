package checker

import (
	"fmt"
	"slices"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// trial is one saga under judgement.
type trial struct {
	Saga
	done   map[string][]int // step → positions of its effects
	undone map[string][]int // step → positions of its compensations' effects
	found  []Violation
}

func newTrial(s Saga) *trial {
	c := &trial{Saga: s, done: make(map[string][]int), undone: make(map[string][]int)}
	for position, effect := range s.Effects {
		if effect.Undone {
			c.undone[effect.Step] = append(c.undone[effect.Step], position)
		} else {
			c.done[effect.Step] = append(c.done[effect.Step], position)
		}
	}
	return c
}

func (c *trial) broken(rule, format string, args ...any) {
	c.found = append(c.found, Violation{Saga: c.ID, Rule: rule, Detail: fmt.Sprintf(format, args...)})
}

func (c *trial) history() {
	for i, entry := range c.History {
		if entry.Seq != int64(i)+1 {
			c.broken(RuleGapless, "entry %d has number %d", i+1, entry.Seq)
			return
		}
	}
}

// ends are the statuses of the entries with which a saga ends.
func ends() map[saga.EntryType]saga.Status {
	return map[saga.EntryType]saga.Status{
		saga.EntryCompleted: saga.Completed, saga.EntryCompensated: saga.Compensated, saga.EntryAbandoned: saga.Abandoned,
	}
}

// afterEnd are the entries that may follow an end: what came too late is said, and a person may deal with it.
func afterEnd() []saga.EntryType {
	return []saga.EntryType{saga.EntryStepLateEffect, saga.EntryAttention, saga.EntryAcknowledged}
}

// end finds the saga's end in its history and compares it with what else says how it stands.
func (c *trial) end() {
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
	told := c.Answered
	if !told.Terminal() {
		told = ""
	}
	if c.Answered != c.Stored || ended != told {
		c.broken(RuleAgreement, "the answer says %q, the row %q, the history %q", c.Answered, c.Stored, ended)
	}
}

func (c *trial) effects() {
	for step, times := range c.done {
		if len(times) > 1 {
			c.broken(RuleOnce, "step %s took effect %d times", step, len(times))
		}
	}
	for step, times := range c.undone {
		switch {
		case len(times) > 1:
			c.broken(RuleOnce, "step %s was undone %d times", step, len(times))
		case len(c.done[step]) == 0 || times[0] < c.done[step][0]:
			c.broken(RuleNothing, "step %s was undone, and had taken no effect", step)
		}
	}
}

// order compares each pair of steps of which one comes directly after the other; what lies between follows.
func (c *trial) order() {
	for _, step := range c.Steps {
		for _, before := range step.After {
			if c.skipped(before) || c.skipped(step.Name) {
				continue
			}
			first, second := c.done[before], c.done[step.Name]
			if len(second) > 0 && (len(first) == 0 || first[0] > second[0]) {
				c.broken(RuleOrder, "step %s before step %s", step.Name, before)
			}
			first, second = c.undone[before], c.undone[step.Name]
			if len(first) > 0 && len(second) > 0 && first[0] < second[0] {
				c.broken(RuleReverse, "step %s was undone before step %s, which came after it", before, step.Name)
			}
			if len(first) > 0 && len(second) == 0 && len(c.done[step.Name]) > 0 && c.undoable(step.Name) {
				c.broken(RuleReverse, "step %s was undone, and step %s, which came after it, still stands", before, step.Name)
			}
		}
		if step.Pivot && len(c.done[step.Name]) > 0 && len(c.undone) > 0 && !c.skipped(step.Name) {
			c.broken(RulePivot, "step %s took effect, and %d steps were undone", step.Name, len(c.undone))
		}
	}
}

// skipped says whether a person has counted the step as done.
func (c *trial) skipped(step string) bool {
	return slices.ContainsFunc(c.History, func(e saga.Entry) bool {
		return e.Type == saga.EntryStepSkipped && e.Step == step
	})
}

func (c *trial) undoable(name string) bool {
	return slices.ContainsFunc(c.Steps, func(s Step) bool { return s.Name == name && s.Undoable })
}

func (c *trial) completed() {
	for _, step := range c.Steps {
		if len(c.done[step.Name]) == 0 && !c.skipped(step.Name) {
			c.broken(RuleCompleted, "step %s took no effect", step.Name)
		}
		if len(c.undone[step.Name]) > 0 {
			c.broken(RuleCompleted, "step %s was undone", step.Name)
		}
	}
}

func (c *trial) compensated() {
	for _, step := range c.Steps {
		standing := len(c.done[step.Name]) > 0 && len(c.undone[step.Name]) == 0
		switch {
		case !standing || c.skipped(step.Name) || c.Reason == saga.LateEffect:
		case step.Pivot:
			c.broken(RulePivot, "the saga is compensated, and step %s took effect", step.Name)
		case step.Undoable:
			c.broken(RuleUndone, "step %s took effect and stands", step.Name)
		}
	}
}
