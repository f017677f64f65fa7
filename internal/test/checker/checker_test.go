package checker_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/checker"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// orderSteps returns reserve, then charge and pack in parallel, then the pivot ship.
// orderSteps returns reserve, then charge and pack in parallel, then the pivot ship.
func orderSteps() []checker.Step {
	return []checker.Step{
		{Name: "reserve", Compensatable: true},
		{Name: "charge", After: []string{"reserve"}, Compensatable: true},
		{Name: "pack", After: []string{"reserve"}},
		{Name: "ship", After: []string{"charge", "pack"}, Pivot: true},
	}
}

func did(steps ...string) []checker.Effect {
	var effects []checker.Effect
	for _, step := range steps {
		name, compensations := step, step[0] == '-'
		if compensations {
			name = step[1:]
		}
		effects = append(effects, checker.Effect{Step: name, Compensated: compensations})
	}
	return effects
}

func history(types ...saga.EntryType) []saga.Entry {
	var entries []saga.Entry
	for i, kind := range types {
		entries = append(entries, saga.Entry{Seq: int64(i) + 1, Type: kind})
	}
	return entries
}

func completed(steps ...string) checker.Saga {
	return checker.Saga{
		ID: "s", Steps: orderSteps(), Answered: saga.Completed, Stored: saga.Completed, Effects: did(steps...),
		History: history(saga.EntryStarted, saga.EntryCompleted),
	}
}

func compensated(steps ...string) checker.Saga {
	return checker.Saga{
		ID: "s", Steps: orderSteps(), Answered: saga.Compensated, Stored: saga.Compensated, Effects: did(steps...),
		History: history(saga.EntryStarted, saga.EntryCompensating, saga.EntryCompensated),
	}
}

func TestCorrectSagasHaveNoViolations(t *testing.T) {
	t.Parallel()
	stuck := completed("reserve", "charge", "pack")
	stuck.Answered, stuck.Stored, stuck.Reason = saga.Stuck, saga.Stuck, saga.PivotUnknown
	stuck.History = history(saga.EntryStarted, saga.EntryStuck)
	late := compensated("reserve", "charge", "-reserve")
	late.Effects, late.Reason = did("reserve"), saga.LateEffect
	late.History = append(late.History, saga.Entry{Seq: 4, Type: saga.EntryStepLateEffect})
	for name, s := range map[string]checker.Saga{
		"completed":              completed("reserve", "pack", "charge", "ship"),
		"compensated":            compensated("reserve", "charge", "pack", "-charge", "-reserve"),
		"without an effect":      compensated(),
		"waits for an operator":  stuck,
		"a reported late effect": late,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Empty(t, s.Violations())
		})
	}
}

func TestEveryRuleCanBeBroken(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		rule   string
		broken func() checker.Saga
	}{
		{checker.RuleGapless, func() checker.Saga {
			s := completed("reserve", "pack", "charge", "ship")
			s.History[1].Seq = 3
			return s
		}},
		{checker.RuleAgreement, func() checker.Saga {
			s := completed("reserve", "pack", "charge", "ship")
			s.Stored = saga.Running
			return s
		}},
		{checker.RuleAgreement, func() checker.Saga {
			s := completed("reserve", "pack", "charge", "ship")
			s.History = history(saga.EntryStarted)
			return s
		}},
		{checker.RuleOneEnd, func() checker.Saga {
			s := completed("reserve", "pack", "charge", "ship")
			s.History = append(s.History, saga.Entry{Seq: 3, Type: saga.EntryCompensated})
			return s
		}},
		{checker.RuleOneEnd, func() checker.Saga {
			s := compensated()
			s.History = append(s.History, saga.Entry{Seq: 4, Type: saga.EntryStepDispatched})
			return s
		}},
		{checker.RuleSettled, func() checker.Saga {
			s := completed("reserve")
			s.Answered, s.Stored, s.History = saga.Running, saga.Running, history(saga.EntryStarted)
			return s
		}},
		{checker.RuleSettled, func() checker.Saga {
			s := completed("reserve")
			s.Answered, s.Stored, s.History = saga.Stuck, saga.Stuck, history(saga.EntryStarted)
			return s
		}},
		{checker.RuleOnce, func() checker.Saga { return completed("reserve", "reserve", "pack", "charge", "ship") }},
		{checker.RuleOnce, func() checker.Saga { return compensated("reserve", "-reserve", "-reserve") }},
		{checker.RuleOrder, func() checker.Saga { return completed("charge", "reserve", "pack", "ship") }},
		{checker.RuleOrder, func() checker.Saga { return compensated("charge", "-charge") }},
		{checker.RuleCompleted, func() checker.Saga { return completed("reserve", "charge", "pack") }},
		{checker.RuleCompleted, func() checker.Saga { return completed("reserve", "charge", "pack", "ship", "-charge") }},
		{checker.RuleCompensated, func() checker.Saga { return compensated("reserve", "charge", "-charge") }},
		{checker.RuleNothing, func() checker.Saga { return compensated("-reserve") }},
		{checker.RuleNothing, func() checker.Saga { return compensated("-reserve", "reserve") }},
		{checker.RuleReverse, func() checker.Saga { return compensated("reserve", "charge", "-reserve", "-charge") }},
		{checker.RuleReverse, func() checker.Saga { return compensated("reserve", "charge", "-reserve") }},
		{checker.RulePivot, func() checker.Saga { return compensated("reserve", "charge", "pack", "ship", "-charge", "-reserve") }},
	} {
		t.Run(one.rule, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, rules(one.broken().Violations()), one.rule)
		})
	}
}

func TestLeftoversAreViolations(t *testing.T) {
	t.Parallel()
	run := checker.Run{
		Acknowledged: []string{"s", "gone"}, Sagas: map[string]checker.Saga{"s": completed("reserve", "pack", "charge", "ship")},
		Outbox: 1, Queues: map[string]int{"empty": 0, "full": 2}, DeadLetters: []string{"malformed_reply", ""},
	}
	found := rules(run.Violations())
	slices.Sort(found)
	wanted := []string{checker.RuleKnown, checker.RuleOutbox, checker.RuleQueues, checker.RuleDeadLetter}
	slices.Sort(wanted)
	require.Equal(t, wanted, found)
}

func rules(violations []checker.Violation) []string {
	var all []string
	for _, v := range violations {
		all = append(all, v.Rule)
	}
	return all
}
