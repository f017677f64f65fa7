package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// turnedBack is a saga of 10 s: reserve succeeds at 1 s, charge fails at 3 s, waits until 5 s and is declined at 6 s, and the
// compensation of reserve runs from 6 s on, its first attempt in vain.
func turnedBack() picture {
	began := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	at := func(second int) resource.Time {
		return resource.Time{Time: began.Add(time.Duration(second) * time.Second)}
	}
	entry := func(second int, kind saga.EntryType, step string) resource.HistoryEntry {
		return resource.HistoryEntry{At: at(second), Type: kind, Step: step}
	}
	return picture{
		saga: resource.Saga{
			ID: "01JD0000000000000000000000", Definition: "order", Version: 1, Status: saga.Compensating, Revision: 7, CreatedAt: at(0),
			Failure: &resource.Failure{Step: "charge", Code: "card_declined", Message: "insufficient\x1b[2J funds"},
			Steps: []resource.SagaStep{
				{Name: "reserve", Status: saga.StepCompensating, Attempts: 1, CompensationAttempts: 2},
				{Name: "charge", Status: saga.StepFailed, Attempts: 2, Error: &saga.StepError{Code: "card_declined"}},
				{Name: "confirm", Status: saga.StepPending},
			},
		},
		history: []resource.HistoryEntry{
			entry(0, saga.EntryStarted, ""), entry(0, saga.EntryStepDispatched, "reserve"), entry(1, saga.EntryStepSucceeded, "reserve"),
			entry(1, saga.EntryStepDispatched, "charge"), entry(3, saga.EntryStepAttemptFailed, "charge"),
			entry(5, saga.EntryStepDispatched, "charge"), entry(6, saga.EntryStepAttemptFailed, "charge"), entry(6, saga.EntryStepFailed, "charge"),
			entry(6, saga.EntryCompensating, ""), entry(6, saga.EntryCompensationSent, "reserve"),
			entry(7, saga.EntryStepTimedOut, "reserve"), entry(8, saga.EntryCompensationSent, "reserve"),
		},
		why: "the compensation of reserve is running", now: began.Add(10 * time.Second),
	}
}

func TestATimelineHasALaneForEachDirection(t *testing.T) {
	t.Parallel()
	const axis = 20
	lines := turnedBack().lines(nameWidth+stateWidth+6+axis, 40)
	assert.Equal(t, []string{
		"compensating  order, version 1  01JD0000000000000000000000  revision 7",
		"                          0s                  10s",
		"reserve                  → ██✓",
		"                         ←             ██?░████  compensating, attempt 2",
		"charge                   →   ████✗░░░██✗         failed, attempt 2, card_declined",
		"confirm                  →                       pending",
		"failure: step charge: card_declined: insufficient [2J funds",
		"the compensation of reserve is running",
	}, trimmed(lines))
}

func trimmed(lines []string) []string {
	for i, line := range lines {
		lines[i] = strings.TrimRight(line, " ")
	}
	return lines
}

func TestATimelineFitsItsTerminal(t *testing.T) {
	t.Parallel()
	p := turnedBack()
	for range 100 {
		p.saga.Steps = append(p.saga.Steps, resource.SagaStep{Name: strings.Repeat("long-", 12), Status: saga.StepPending})
	}
	for _, colour := range []bool{false, true} {
		p.colour = colour
		lines := p.lines(60, 24)
		assert.Less(t, len(lines), 24)
		for _, line := range lines {
			assert.LessOrEqual(t, len([]rune(uncoloured(line))), 60, line)
		}
		assert.Equal(t, colour, strings.Contains(strings.Join(lines, ""), "\x1b[31m"))
		assert.Contains(t, uncoloured(strings.Join(lines, "\n")), "more steps")
	}
}

func uncoloured(line string) string {
	for {
		before, rest, found := strings.Cut(line, "\x1b[")
		if !found {
			return line
		}
		_, after, _ := strings.Cut(rest, "m")
		line = before + after
	}
}

func TestAnOperatorsDecisionEndsALane(t *testing.T) {
	t.Parallel()
	began := time.Now()
	at := func(second int) resource.Time {
		return resource.Time{Time: began.Add(time.Duration(second) * time.Second)}
	}
	lanes := lanesOf([]resource.HistoryEntry{
		{At: at(0), Type: saga.EntryStepDispatched, Step: "receipt"},
		{At: at(1), Type: saga.EntryStepAttemptFailed, Step: "receipt"},
		{At: at(1), Type: saga.EntryStepFailed, Step: "receipt"},
		{At: at(9), Type: saga.EntryStepSkipped, Step: "receipt"},
	})
	assert.Equal(t, []span{
		{from: at(0).Time, to: at(1).Time, mark: markFailed}, {from: at(9).Time, to: at(9).Time, mark: markSkipped},
	}, lanes["receipt"].forward)
	assert.Empty(t, lanes["receipt"].backward)
}

func TestAWatchedSagaIsRedrawnUntilItEnds(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.done("definitions", "put", "order", "-")
	id := decoded[resource.Saga](c, "sagas", "start", "order", "--data", `{"simulate":{"confirm":"refused"}}`).ID
	var out bytes.Buffer
	view := &liveView{
		client: client.New(client.Config{Server: c.url}), id: id, out: &out, size: func() (int, int) { return 100, 30 },
	}
	require.NoError(t, view.run(t.Context()))
	last := out.String()[strings.LastIndex(out.String(), "compensated  order"):]
	assert.Contains(t, last, "← ")
	assert.Contains(t, last, "failed, refused")
	assert.NotContains(t, last, "\x1b[3", "no colours unless asked for")
	lines := strings.Count(c.done("sagas", "watch", id), "\n")
	assert.Equal(t, 1, lines, "piped: a line for each state, and an ended saga has one")
}
