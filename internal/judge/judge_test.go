package judge_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/judge"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// plan is reserve, then charge and pack side by side, then ship, the pivot.
func plan() []judge.Step {
	return []judge.Step{
		{Name: "reserve", Undoable: true},
		{Name: "charge", After: []string{"reserve"}, Undoable: true},
		{Name: "pack", After: []string{"reserve"}},
		{Name: "ship", After: []string{"charge", "pack"}, Pivot: true},
	}
}

func did(steps ...string) []judge.Effect {
	var effects []judge.Effect
	for _, step := range steps {
		name, undone := step, step[0] == '-'
		if undone {
			name = step[1:]
		}
		effects = append(effects, judge.Effect{Step: name, Undone: undone})
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

func completed(steps ...string) judge.Saga {
	return judge.Saga{
		ID: "s", Steps: plan(), Answered: saga.Completed, Stored: saga.Completed, Effects: did(steps...),
		History: history(saga.EntryStarted, saga.EntryCompleted),
	}
}

func compensated(steps ...string) judge.Saga {
	return judge.Saga{
		ID: "s", Steps: plan(), Answered: saga.Compensated, Stored: saga.Compensated, Effects: did(steps...),
		History: history(saga.EntryStarted, saga.EntryCompensating, saga.EntryCompensated),
	}
}

func TestWhatIsRightIsRight(t *testing.T) {
	t.Parallel()
	stuck := completed("reserve", "charge", "pack")
	stuck.Answered, stuck.Stored, stuck.Reason = saga.Stuck, saga.Stuck, saga.PivotUnknown
	stuck.History = history(saga.EntryStarted, saga.EntryStuck)
	late := compensated("reserve", "charge", "-reserve")
	late.Effects, late.Reason = did("reserve"), saga.LateEffect
	late.History = append(late.History, saga.Entry{Seq: 4, Type: saga.EntryStepLateEffect})
	for name, s := range map[string]judge.Saga{
		"completed":                      completed("reserve", "pack", "charge", "ship"),
		"compensated":                    compensated("reserve", "charge", "pack", "-charge", "-reserve"),
		"nothing took effect":            compensated(),
		"waits for a person":             stuck,
		"a late effect that is known of": late,
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
		broken func() judge.Saga
	}{
		{judge.RuleGapless, func() judge.Saga {
			s := completed("reserve", "pack", "charge", "ship")
			s.History[1].Seq = 3
			return s
		}},
		{judge.RuleAgreement, func() judge.Saga {
			s := completed("reserve", "pack", "charge", "ship")
			s.Stored = saga.Running
			return s
		}},
		{judge.RuleAgreement, func() judge.Saga {
			s := completed("reserve", "pack", "charge", "ship")
			s.History = history(saga.EntryStarted)
			return s
		}},
		{judge.RuleOneEnd, func() judge.Saga {
			s := completed("reserve", "pack", "charge", "ship")
			s.History = append(s.History, saga.Entry{Seq: 3, Type: saga.EntryCompensated})
			return s
		}},
		{judge.RuleOneEnd, func() judge.Saga {
			s := compensated()
			s.History = append(s.History, saga.Entry{Seq: 4, Type: saga.EntryStepDispatched})
			return s
		}},
		{judge.RuleSettled, func() judge.Saga {
			s := completed("reserve")
			s.Answered, s.Stored, s.History = saga.Running, saga.Running, history(saga.EntryStarted)
			return s
		}},
		{judge.RuleSettled, func() judge.Saga {
			s := completed("reserve")
			s.Answered, s.Stored, s.History = saga.Stuck, saga.Stuck, history(saga.EntryStarted)
			return s
		}},
		{judge.RuleOnce, func() judge.Saga { return completed("reserve", "reserve", "pack", "charge", "ship") }},
		{judge.RuleOnce, func() judge.Saga { return compensated("reserve", "-reserve", "-reserve") }},
		{judge.RuleOrder, func() judge.Saga { return completed("charge", "reserve", "pack", "ship") }},
		{judge.RuleOrder, func() judge.Saga { return compensated("charge", "-charge") }},
		{judge.RuleCompleted, func() judge.Saga { return completed("reserve", "charge", "pack") }},
		{judge.RuleCompleted, func() judge.Saga { return completed("reserve", "charge", "pack", "ship", "-charge") }},
		{judge.RuleUndone, func() judge.Saga { return compensated("reserve", "charge", "-charge") }},
		{judge.RuleNothing, func() judge.Saga { return compensated("-reserve") }},
		{judge.RuleNothing, func() judge.Saga { return compensated("-reserve", "reserve") }},
		{judge.RuleReverse, func() judge.Saga { return compensated("reserve", "charge", "-reserve", "-charge") }},
		{judge.RuleReverse, func() judge.Saga { return compensated("reserve", "charge", "-reserve") }},
		{judge.RulePivot, func() judge.Saga { return compensated("reserve", "charge", "pack", "ship", "-charge", "-reserve") }},
	} {
		t.Run(one.rule, func(t *testing.T) {
			t.Parallel()
			require.Contains(t, rules(one.broken().Violations()), one.rule)
		})
	}
}

func TestWhatIsLeftBehindIsFound(t *testing.T) {
	t.Parallel()
	run := judge.Run{
		Acknowledged: []string{"s", "gone"}, Sagas: map[string]judge.Saga{"s": completed("reserve", "pack", "charge", "ship")},
		Outbox: 1, Queues: map[string]int{"empty": 0, "full": 2}, DeadLetters: []string{"malformed_reply", ""},
	}
	found := rules(run.Violations())
	slices.Sort(found)
	wanted := []string{judge.RuleKnown, judge.RuleOutbox, judge.RuleQueues, judge.RuleDeadLetter}
	slices.Sort(wanted)
	require.Equal(t, wanted, found)
}

func rules(violations []judge.Violation) []string {
	var all []string
	for _, v := range violations {
		all = append(all, v.Rule)
	}
	return all
}
