package saga_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

func TestAScheduledSagaStartsAtItsTime(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a").Deadline(10*time.Second), func(s *saga.Start) { s.StartAt = noon.Add(time.Hour) })
	c.expectStatus(saga.Scheduled)
	c.expectSteps("a pending")
	c.expectSent()
	c.expectNewest(saga.EntryScheduled)
	require.Equal(t, noon.Add(time.Hour), c.is.WakeAt)
	require.Equal(t, noon.Add(time.Hour+10*time.Second), c.is.DeadlineAt, "the deadline counts from the start")
	c.advance(time.Hour - time.Nanosecond)
	c.wake()
	c.expectNoEffect()
	c.expectStatus(saga.Scheduled)
	c.advance(time.Nanosecond)
	c.expectStatus(saga.Running)
	c.expectSent("a/execute/1")
	c.expectNewest(saga.EntryStarted, saga.EntryStepDispatched)
}

func TestAStartTimeThatHasPassedIsAtOnce(t *testing.T) {
	t.Parallel()
	for _, at := range []time.Time{noon, noon.Add(-time.Hour)} {
		c := begin(t, chain("a").Deadline(10*time.Second), func(s *saga.Start) { s.StartAt = at })
		c.expectStatus(saga.Running)
		require.Equal(t, noon.Add(10*time.Second), c.is.DeadlineAt)
	}
}

func TestACancelledScheduledSagaCompensatesNoStep(t *testing.T) {
	t.Parallel()
	for _, def := range []*saga.Builder{chain("a"), committing(), retriables()} {
		c := begin(t, def, func(s *saga.Start) { s.StartAt = noon.Add(time.Hour) })
		c.expectAllowed(saga.ActionCompensate, saga.ActionPause, saga.ActionAbandon)
		c.act(saga.ActionCompensate)
		c.expectStatus(saga.Compensated)
		c.expectFailure("", saga.CodeCancelled)
		c.expectSent()
	}
}

func TestASagaWhoseDeadlineIsPastAtItsStartDispatchesNothing(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a").Deadline(time.Second), func(s *saga.Start) { s.StartAt = noon.Add(time.Hour) })
	c.now = noon.Add(2 * time.Hour)
	c.wake()
	c.expectSent()
	c.expectSteps("a pending")
	c.expectStatus(saga.Compensated)
}

func TestOverdueComesAndGoes(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a", saga.Timeout(time.Hour)).Step("b", "q.b", saga.Timeout(time.Hour)),
		func(s *saga.Start) { s.OverdueAfter = 15 * time.Minute })
	require.Equal(t, noon.Add(15*time.Minute), c.is.WakeAt)
	c.advance(15*time.Minute - time.Nanosecond)
	c.expectNoAttention()
	c.advance(time.Nanosecond)
	c.expectStatus(saga.Running)
	c.expectAttention(saga.Overdue, "")
	require.Equal(t, noon.Add(15*time.Minute), c.is.Attention.Since)
	c.advance(30 * time.Minute)
	c.expectAttention(saga.Overdue, "")
	require.Equal(t, noon.Add(15*time.Minute), c.is.Attention.Since)
	c.succeed("a")
	c.expectNoAttention() // progress ends it
	c.advance(15 * time.Minute)
	c.expectAttention(saga.Overdue, "")
}

func TestOnlyASagaThatShouldMoveIsOverdue(t *testing.T) {
	t.Parallel()
	overdue := func(s *saga.Start) { s.OverdueAfter = time.Minute }
	scheduled := begin(t, chain("a"), overdue, func(s *saga.Start) { s.StartAt = noon.Add(time.Hour) })
	scheduled.advance(30 * time.Minute)
	scheduled.expectNoAttention()

	paused := begin(t, chain("a"), overdue)
	paused.act(saga.ActionPause)
	paused.advance(time.Hour)
	paused.expectNoAttention()
	paused.act(saga.ActionResume)
	paused.expectNoAttention()

	committed := begin(t, saga.New("order").Deadline(10*time.Second).Pivot("p", "q.p", saga.Timeout(time.Hour)).
		Retriable("r", "q.r", saga.Timeout(time.Hour)), overdue)
	committed.succeed("p")
	committed.advance(30 * time.Minute)
	committed.expectAttention(saga.DeadlineExceeded, "") // which already asks for an operator
	committed.expectNewest(saga.EntryDeadlineExceeded, saga.EntryAttention)

	stuck := begin(t, retriables(), overdue)
	stuck.refuse("r")
	stuck.advance(time.Hour)
	stuck.expectAttention(saga.RetriesExhausted, "r")
}

func TestWaitingInTheOutboxIsNotProgress(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a"), func(s *saga.Start) { s.OverdueAfter = 70 * time.Second })
	c.hold("a")
	c.advance(70 * time.Second)
	c.expectAttention(saga.Overdue, "")
	c.advance(time.Minute)
	c.expectAttention(saga.Overdue, "")
	c.publish("a")
	c.succeed("a")
	c.expectNoAttention()
}

func TestATimerMayFireTooOften(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a", "b"))
	wakeAt := c.is.WakeAt
	for range 3 {
		c.wake()
		c.expectNoEffect()
		require.Equal(t, wakeAt, c.is.WakeAt)
	}
	c.advance(10 * time.Second)
	c.succeed("a")
	require.Equal(t, wakeAt, c.is.WakeAt, "a transition only moves it earlier")
	c.now = wakeAt
	c.wake()
	c.expectNoEffect()
	require.Equal(t, c.step("b").DeadlineAt, c.is.WakeAt, "firing moves it on")
}

func TestAStepTimesOutOnlyOnce(t *testing.T) {
	t.Parallel()
	c := begin(t, saga.New("order").Step("a", "q.a", attempts(3)))
	c.timeOut("a")
	c.expectNewest(saga.EntryStepTimedOut)
	for range 3 {
		c.wake()
		c.expectNoEffect()
	}
	require.Equal(t, 1, c.step("a").Attempts)
}

func TestEventsOfAnotherDefinitionAreADefect(t *testing.T) {
	t.Parallel()
	c := begin(t, chain("a"))
	for _, other := range []*saga.Builder{chain("a", "b"), saga.New("other").Step("a", "q.a")} {
		_, err := other.MustBuild().Transition(c.is, saga.Event{At: noon, Cause: saga.Wake{}})
		require.ErrorIs(t, err, saga.ErrForeignInstance)
	}
	later := *c.def
	later.Version++
	_, err := later.Transition(c.is, saga.Event{At: noon, Cause: saga.Wake{}})
	require.ErrorIs(t, err, saga.ErrForeignInstance)
	_, err = c.def.Transition(c.is, saga.Event{At: noon})
	require.Error(t, err, "an event without a cause")
}
