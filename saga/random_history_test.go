package saga_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// randomHistory is a saga to which anything happens in any order. Workers are conforming: what they answer is what their
// ledger says. Whatever was sent may be delivered at any time, as often as the broker likes, and so may every answer.
type randomHistory struct {
	t       *rapid.T
	plan    *saga.Definition
	is      saga.Instance
	now     time.Time
	overdue time.Duration
	started saga.Instance
	events  []saga.Event
	entries []saga.Entry
	sent    []saga.CommandID
	answers []saga.Reply
	heard   map[int]bool    // which of the answers have been delivered
	held    map[string]bool // commands in the outbox
	worker  *referenceWorker
	honest  bool // no worker contradicts itself
	actions int
}

func beginRandomHistory(t *rapid.T) *randomHistory {
	h := &randomHistory{
		t: t, plan: randomPlan(t), now: noon, held: make(map[string]bool), heard: make(map[int]bool), honest: true,
		worker:  newReferenceWorker(rapid.Bool().Draw(t, "barrier")),
		overdue: rapid.SampledFrom([]time.Duration{0, 5 * time.Second}).Draw(t, "overdue after"),
	}
	start := saga.Start{ID: "s", At: noon, OverdueAfter: h.overdue, Actor: "caller", Data: json.RawMessage(`{"orderId":"42"}`)}
	if rapid.IntRange(0, 4).Draw(t, "starts later") == 0 {
		start.StartAt = noon.Add(time.Second)
	}
	decision, err := h.plan.Start(start)
	require.NoError(t, err)
	require.NoError(t, h.plan.Check(&decision.Next))
	h.started = deepCopy(decision.Next)
	h.take(decision)
	return h
}

// hear lets the saga decide about one event; every decision is judged.
func (h *randomHistory) hear(cause saga.Cause) saga.Decision {
	event := saga.Event{At: h.now, OverdueAfter: h.overdue, Cause: cause}
	decision, err := decide(h.plan, h.is, event)
	require.NoError(h.t, err, "%T %+v\nafter\n%s", cause, cause, h.told())
	h.events = append(h.events, event)
	h.take(decision)
	return decision
}

func (h *randomHistory) take(decision saga.Decision) {
	h.is = decision.Next
	h.entries = append(h.entries, decision.Entries...)
	for _, command := range decision.Commands {
		require.NotContains(h.t, h.sent, command.ID, "an id is used once")
		h.sent = append(h.sent, command.ID)
	}
}

// told is the end of the story, for the message of a failed property.
func (h *randomHistory) told() string {
	var lines []string
	for _, entry := range h.entries[max(0, len(h.entries)-60):] {
		lines = append(lines, fmt.Sprintf("%s %s %s %d %v", entry.At.Format("05.000"), entry.Type, entry.Step, entry.Attempt, entry.Detail))
	}
	return fmt.Sprintf("%s\n%s, effects %v", strings.Join(lines, "\n"), h.is.Status, h.worker.effects)
}

// happen draws what happens next.
func (h *randomHistory) happen() {
	happenings := []struct {
		weight int
		what   func()
	}{
		{10, h.workerHandles},
		{10, h.answerArrives},
		{1, h.wakes},
		{3, h.timePasses},
		{1, h.brokerGivesUp},
		{1, h.commandIsHeld},
		{1, h.commandIsPublished},
		{2, h.personActs},
		{1, h.strangerAnswers},
	}
	var weighted []func()
	for _, one := range happenings {
		weighted = append(weighted, slices.Repeat([]func(){one.what}, one.weight)...)
	}
	evenly(h.t, weighted, "what happens")()
}

// evenly draws one of a few values, all as likely as each other: rapid's own integers are mostly small ones.
func evenly[T any](t *rapid.T, from []T, label string) T {
	index := 0
	for _, bit := range rapid.SliceOfN(rapid.Bool(), 8, 8).Draw(t, label) {
		index *= 2
		if bit {
			index++
		}
	}
	return from[index*len(from)/256]
}

// workerHandles delivers a command: mostly one that is out, and now and then any that was ever sent.
func (h *randomHistory) workerHandles() {
	from := h.out()
	if len(from) == 0 || rapid.IntRange(0, 3).Draw(h.t, "an old one") == 3 {
		from = h.sent
	}
	if len(from) == 0 {
		return
	}
	id := rapid.SampledFrom(from).Draw(h.t, "command")
	reply := h.worker.handle(id, h.wish(id))
	if rapid.IntRange(0, 4).Draw(h.t, "answer is lost") < 4 {
		h.answers = append(h.answers, reply)
	}
}

// wish is what the service makes of a command that it is really asked to do.
func (h *randomHistory) wish(id saga.CommandID) saga.Reply {
	return evenly(h.t, []saga.Reply{
		done(id), done(id), done(id), done(id), failed("busy", true), failed("declined", true), failed("never", false),
	}, "the service's mood")
}

// answerArrives delivers an answer: mostly one that was not delivered yet, and now and then any that was ever given.
func (h *randomHistory) answerArrives() {
	var from []int
	again := rapid.IntRange(0, 3).Draw(h.t, "an old one") == 3
	for i := range h.answers {
		if again || !h.heard[i] {
			from = append(from, i)
		}
	}
	if len(from) > 0 {
		h.deliver(rapid.SampledFrom(from).Draw(h.t, "answer"))
	}
}

func (h *randomHistory) deliver(answer int) {
	decision := h.hear(h.answers[answer])
	require.False(h.t, h.heard[answer] && decision.Changed, "an answer that comes again changes nothing\n%s", h.told())
	h.heard[answer] = true
}

// strangerAnswers brings what no conforming worker says: nonsense ids, and answers that contradict others.
func (h *randomHistory) strangerAnswers() {
	id := saga.CommandID{
		Saga:      rapid.SampledFrom([]string{"s", "other"}).Draw(h.t, "saga"),
		Step:      rapid.SampledFrom([]string{stepName(0), stepName(mostRandomSteps)}).Draw(h.t, "step"),
		Direction: rapid.SampledFrom([]saga.Direction{saga.Execute, saga.Compensate}).Draw(h.t, "direction"),
		Round:     rapid.IntRange(1, 3).Draw(h.t, "round"), Attempt: rapid.IntRange(1, 99).Draw(h.t, "attempt"),
	}
	if id.Direction == saga.Execute {
		id.Round = 1 // the id of another has no written form
	}
	if len(h.sent) > 0 && rapid.IntRange(0, 9).Draw(h.t, "contradicts") == 9 {
		id = rapid.SampledFrom(h.sent).Draw(h.t, "whose answer")
	}
	h.honest = h.honest && !slices.Contains(h.sent, id)
	reply := failed("liar", rapid.Bool().Draw(h.t, "retryable"))
	if rapid.Bool().Draw(h.t, "succeeded") {
		reply = done(id)
	}
	reply.Command = id
	h.hear(reply)
}

// wakes lets the saga's timer fire. The time of a command that is in the outbox does not run.
func (h *randomHistory) wakes() {
	before := h.out()
	h.hear(saga.Wake{Unpublished: maps.Clone(h.held)})
	for _, id := range before {
		require.True(h.t, !h.held[id.String()] || slices.Contains(h.out(), id), "%s fails for being in the outbox\n%s", id, h.told())
	}
}

// timePasses moves the clock to the next timer, or anywhere, and wakes the saga if that is due.
func (h *randomHistory) timePasses() {
	to := h.now.Add(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, time.Minute, 2 * time.Hour}).Draw(h.t, "passes"))
	if !h.is.WakeAt.IsZero() && rapid.IntRange(0, 3).Draw(h.t, "until the timer") > 0 {
		to = h.is.WakeAt
	}
	if to.After(h.now) {
		h.now = to
	}
	h.wakes()
}

// out are the commands that are out now.
func (h *randomHistory) out() []saga.CommandID {
	var out []saga.CommandID
	for i := range h.is.Steps {
		if id, is := h.is.CommandOut(i); is {
			out = append(out, id)
		}
	}
	return out
}

func (h *randomHistory) brokerGivesUp() {
	if len(h.sent) > 0 {
		h.hear(saga.Lost{Command: rapid.SampledFrom(h.sent).Draw(h.t, "lost"), Reason: "delivery_limit"})
	}
}

func (h *randomHistory) commandIsHeld() {
	if out := h.out(); len(out) > 0 {
		h.held[rapid.SampledFrom(out).Draw(h.t, "held").String()] = true
	}
}

func (h *randomHistory) commandIsPublished() {
	for _, id := range h.sent {
		if h.held[id.String()] {
			delete(h.held, id.String())
			h.hear(saga.Published{Command: id})
			return
		}
	}
}
