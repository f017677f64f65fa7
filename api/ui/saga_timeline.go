package ui

import (
	"fmt"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// timeline is the history of a saga, drawn to time: a row per step, with a forward lane and a compensation lane.
type timeline struct {
	Rows   []timelineRow
	Ticks  []tick
	Breaks []tick // where a time without activity is cut out
}

type timelineRow struct {
	Step    string
	Status  saga.StepStatus
	Kind    saga.Kind
	Forward []bar
	Back    []bar
	Any     bool // whether something happened
	Left    int  // earlier attempts that are not drawn
	Brief   bool // the view has no details of the step
	Said    string
}

// bar is one attempt, or the wait before the next one. X and Width are percentages of the width.
type bar struct {
	X, Width float64
	Kind     string // good, bad, odd, busy, wait or held
	Title    string

	from, to time.Time
	open     bool
}

// tick is a label of the time axis.
type tick struct {
	X     float64
	Label string
}

// From returns where the mark of a time that is cut out begins.
func (t tick) From() float64 { return t.X - 2 }

// lane collects the bars of one step in one direction.
type lane struct {
	bars    []bar
	attempt int
}

func (l *lane) running() bool { return len(l.bars) > 0 && l.bars[len(l.bars)-1].open }

// begin opens a bar, and closes the one before.
func (l *lane) begin(at time.Time, kind, title string) {
	l.end(at, "", "")
	l.bars = append(l.bars, bar{from: at, to: at, Kind: kind, Title: title, open: true})
}

// end closes the open bar. An empty kind leaves the bar's own.
func (l *lane) end(at time.Time, kind, title string) {
	if !l.running() {
		return
	}
	last := &l.bars[len(l.bars)-1]
	if last.Kind == "wait" && !at.After(last.from) { // the last attempt has failed: another one does not follow
		l.bars = l.bars[:len(l.bars)-1]
		return
	}
	last.to, last.open = at, false
	if kind != "" && last.Kind != "wait" && last.Kind != "held" {
		last.Kind = kind
	}
	if title != "" && last.Kind != "wait" {
		last.Title += ": " + title
	}
}

// fail closes an attempt that failed; the wait for the next attempt begins.
func (l *lane) fail(at time.Time, kind, title string) {
	l.end(at, kind, title)
	l.begin(at, "wait", fmt.Sprintf("waits for attempt %d", l.attempt+1))
}

// viewTimeline draws the history of a saga. now ends what still runs.
func viewTimeline(s resource.Saga, history []resource.HistoryEntry, now time.Time) timeline {
	forward, back := make(map[string]*lane), make(map[string]*lane)
	for _, step := range s.Steps {
		forward[step.Name], back[step.Name] = &lane{}, &lane{}
	}
	for _, entry := range history {
		f, b := forward[entry.Step], back[entry.Step]
		if entry.Type == saga.EntryAbandoned {
			for _, step := range s.Steps {
				forward[step.Name].end(entry.At.Time, "odd", "the saga was abandoned")
				back[step.Name].end(entry.At.Time, "odd", "the saga was abandoned")
			}
		}
		if f != nil {
			follow(entry, f, b)
		}
	}
	line := timeline{}
	var all []*bar
	for _, step := range s.Steps {
		f, b := forward[step.Name], back[step.Name]
		row := timelineRow{Step: step.Name, Status: step.Status, Kind: step.Kind, Forward: f.bars, Back: b.bars, Any: len(f.bars)+len(b.bars) > 0}
		line.Rows = append(line.Rows, row)
		for _, bars := range [][]bar{f.bars, b.bars} {
			for i := range bars {
				if bars[i].open {
					bars[i].to = now
				}
				all = append(all, &bars[i])
			}
		}
	}
	line.place(s, all, now)
	return line
}

// follow adds a history entry to the lanes of its step.
func follow(entry resource.HistoryEntry, forward, back *lane) {
	at, current := entry.At.Time, forward
	if back.running() {
		current = back
	}
	code, _ := entry.Detail["code"].(string)
	code = cut(code, 24)
	switch entry.Type {
	case saga.EntryStepDispatched:
		forward.attempt = entry.Attempt
		forward.begin(at, "busy", fmt.Sprintf("attempt %d", entry.Attempt))
	case saga.EntryStepWaits:
		forward.attempt = entry.Attempt
		forward.begin(at, "held", "waits for "+waitName(entry))
	case saga.EntryCompensationSent:
		forward.end(at, "odd", "given up")
		back.attempt = entry.Attempt
		back.begin(at, "busy", fmt.Sprintf("compensation, attempt %d", entry.Attempt))
	case saga.EntryStepDelayed:
		current.begin(at, "held", "waits in the outbox")
	case saga.EntryStepPublished:
		if current.running() && current.bars[len(current.bars)-1].Kind == "held" {
			current.begin(at, "busy", fmt.Sprintf("attempt %d", entry.Attempt))
		}
	case saga.EntryStepSucceeded:
		forward.end(at, "good", "succeeded")
	case saga.EntryStepAttemptFailed:
		forward.fail(at, "bad", "failed, "+code)
	case saga.EntryCompensationRetry:
		back.fail(at, "bad", "failed, "+code)
	case saga.EntryStepTimedOut:
		current.fail(at, "odd", "timed out")
	case saga.EntryStepLost:
		current.fail(at, "odd", "lost")
	case saga.EntryStepFailed, saga.EntryStepUnknown, saga.EntryStepSkipped:
		current.end(at, "bad", "")
	case saga.EntryStepCompensated:
		back.end(at, "good", "compensated")
	case saga.EntryCompensationExhausted:
		back.end(at, "bad", "")
	}
}

// waitName returns what a step waits for, from the entry with which the wait began.
func waitName(entry resource.HistoryEntry) string {
	kind, _ := entry.Detail["waits_for"].(string)
	switch saga.Wait(kind) {
	case saga.WaitForSignal:
		signal, _ := entry.Detail["signal"].(string)
		return "the signal " + cut(signal, 40)
	case saga.WaitForChild:
		return "its child saga"
	default:
		return "its time"
	}
}

// place computes the positions of the bars and the axis.
func (t *timeline) place(s resource.Saga, bars []*bar, now time.Time) {
	begun := s.CreatedAt.Time
	for _, b := range bars {
		if b.from.Before(begun) {
			begun = b.from
		}
	}
	spans := []span{{begun, begun.Add(time.Millisecond)}}
	for _, b := range bars {
		spans = append(spans, span{b.from, b.to})
	}
	if !s.Status.Terminal() {
		spans = append(spans, span{now, now})
	}
	axis := newAxis(spans)
	for _, b := range bars {
		b.X = axis.position(b.from)
		b.Width = max(axis.position(b.to)-b.X, 0.4)
		b.Title += ", " + rough(b.to.Sub(b.from))
	}
	t.Ticks, t.Breaks = axis.ticks, axis.breaks
}

// mostSaid is how many bars of a row are read out.
const mostSaid = 2

// shorten leaves out the oldest bars of the rows with the most, and describes each row.
func (t *timeline) shorten() {
	bars := 0
	for _, row := range t.Rows {
		bars += len(row.Forward) + len(row.Back)
	}
	most := bars
	if bars > mostBars {
		most = max(2, mostBars/len(t.Rows))
	}
	for i := range t.Rows {
		row := &t.Rows[i]
		row.Left = max(0, len(row.Forward)-most) + max(0, len(row.Back)-most)
		row.Forward, row.Back = newest(row.Forward, most), newest(row.Back, most)
		if row.Left > 0 && len(t.Rows) <= mostDrawn {
			row.Said += fmt.Sprintf(" %d earlier bars are left out;", row.Left)
		}
		if len(t.Rows) > mostDrawn {
			for _, bars := range [][]bar{row.Forward, row.Back} {
				for j := range bars {
					bars[j].Title = cut(bars[j].Title, 24)
				}
			}
			continue // the link before the bars has the step and its status
		}
		for _, b := range append(newest(row.Forward, mostSaid), newest(row.Back, mostSaid)...) {
			row.Said += " " + b.Title + ";"
		}
	}
}

func newest(bars []bar, most int) []bar { return slices.Clone(bars[max(0, len(bars)-most):]) }
