package ui

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func second(n float64) time.Time {
	return time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC).Add(time.Duration(n * float64(time.Second)))
}

func entry(at float64, kind saga.EntryType, step string, attempt int, code ...string) resource.HistoryEntry {
	e := resource.HistoryEntry{At: resource.Time{Time: second(at)}, Type: kind, Step: step, Attempt: attempt}
	if len(code) > 0 {
		e.Detail = map[string]any{"code": code[0]}
	}
	return e
}

func sagaOf(status saga.Status, steps ...string) resource.Saga {
	s := resource.Saga{Status: status, CreatedAt: resource.Time{Time: second(0)}}
	for _, name := range steps {
		s.Steps = append(s.Steps, resource.SagaStep{Name: name})
	}
	return s
}

// kinds returns the bars of a lane as texts.
func kinds(bars []bar) []string {
	var all []string
	for _, b := range bars {
		all = append(all, b.Kind)
	}
	return all
}

func TestAttemptsAndWaitsAreDrawnToTime(t *testing.T) {
	t.Parallel()
	line := viewTimeline(sagaOf(saga.Completed, "a", "b"), []resource.HistoryEntry{
		entry(0, saga.EntryStepDispatched, "a", 1),
		entry(1, saga.EntryStepAttemptFailed, "a", 1, "busy"),
		entry(3, saga.EntryStepDispatched, "a", 2),
		entry(4, saga.EntryStepSucceeded, "a", 2),
		entry(4, saga.EntryStepDispatched, "b", 1),
		entry(8, saga.EntryStepSucceeded, "b", 1),
	}, second(100))
	a, b := line.Rows[0].Forward, line.Rows[1].Forward
	require.Equal(t, []string{"bad", "wait", "good"}, kinds(a))
	require.Equal(t, []string{"good"}, kinds(b))
	assert.Contains(t, a[0].Title, "attempt 1: failed, busy, 1.0s")
	assert.InDelta(t, 2*a[0].Width, a[1].Width, 0.01, "a wait of 2 s is twice as wide as an attempt of 1 s")
	assert.InDelta(t, 4*a[0].Width, b[0].Width, 0.01)
	assert.InDelta(t, a[2].X+a[2].Width, b[0].X, 0.01)
	assert.Empty(t, line.Breaks, "nothing is cut out")
	assert.Equal(t, "0", line.Ticks[0].Label)
}

func TestCompensationsHaveALaneOfTheirOwn(t *testing.T) {
	t.Parallel()
	line := viewTimeline(sagaOf(saga.Compensated, "a"), []resource.HistoryEntry{
		entry(0, saga.EntryStepDispatched, "a", 1),
		entry(1, saga.EntryStepSucceeded, "a", 1),
		entry(2, saga.EntryCompensationSent, "a", 1),
		entry(3, saga.EntryCompensationRetry, "a", 1, "busy"),
		entry(4, saga.EntryCompensationSent, "a", 2),
		entry(5, saga.EntryStepTimedOut, "a", 2),
		entry(6, saga.EntryCompensationSent, "a", 3),
		entry(7, saga.EntryStepCompensated, "a", 3),
	}, second(100))
	assert.Equal(t, []string{"good"}, kinds(line.Rows[0].Forward))
	assert.Equal(t, []string{"bad", "wait", "odd", "wait", "good"}, kinds(line.Rows[0].Back))
}

func TestTheLastFailureIsNotFollowedByAWait(t *testing.T) {
	t.Parallel()
	line := viewTimeline(sagaOf(saga.Stuck, "a"), []resource.HistoryEntry{
		entry(0, saga.EntryStepDispatched, "a", 1),
		entry(1, saga.EntryStepAttemptFailed, "a", 1, "refused"),
		entry(1, saga.EntryStepFailed, "a", 1, "refused"),
	}, second(3601))
	assert.Equal(t, []string{"bad"}, kinds(line.Rows[0].Forward))
	require.Len(t, line.Breaks, 1, "an hour in which nothing happened is cut out")
	assert.Equal(t, "1h 0m", line.Breaks[0].Label)
}

func TestWhatRunsEndsNow(t *testing.T) {
	t.Parallel()
	history := []resource.HistoryEntry{entry(0, saga.EntryStepDispatched, "a", 1)}
	line := viewTimeline(sagaOf(saga.Running, "a", "b"), history, second(4))
	require.Len(t, line.Rows[0].Forward, 1)
	assert.InDelta(t, axisWidth, line.Rows[0].Forward[0].Width, 0.1)
	assert.False(t, line.Rows[1].Any)
	held := append(history, entry(1, saga.EntryStepDelayed, "a", 1), entry(3, saga.EntryStepPublished, "a", 1))
	line = viewTimeline(sagaOf(saga.Running, "a"), held, second(4))
	assert.Equal(t, []string{"busy", "held", "busy"}, kinds(line.Rows[0].Forward))
	line = viewTimeline(sagaOf(saga.Abandoned, "a"), append(history, entry(2, saga.EntryAbandoned, "", 0)), second(100))
	assert.Equal(t, []string{"odd"}, kinds(line.Rows[0].Forward))
}

// Whatever the history is, every bar is inside the picture.
func TestEveryBarIsInsideThePicture(t *testing.T) {
	t.Parallel()
	var history []resource.HistoryEntry
	for i := range 40 { // 40 attempts, hours apart
		at := float64(i * i * 600)
		history = append(history, entry(at, saga.EntryStepDispatched, "a", i+1), entry(at+0.01, saga.EntryStepSucceeded, "a", i+1))
	}
	line := viewTimeline(sagaOf(saga.Stuck, "a"), history, second(1e6))
	require.Len(t, line.Rows[0].Forward, 40)
	before := -1.0
	for _, b := range line.Rows[0].Forward {
		assert.GreaterOrEqual(t, b.X, before)
		assert.LessOrEqual(t, b.X+b.Width, 100.0)
		before = b.X
	}
	assert.LessOrEqual(t, len(line.Breaks), mostGaps)
	for i := 1; i < len(line.Ticks); i++ {
		assert.GreaterOrEqual(t, line.Ticks[i].X-line.Ticks[i-1].X, tickApart, "labels do not overlap")
	}
}
