package saga_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// explorer walks every order of a bounded number of events of one definition, breadth first, and holds each state
// against rules that are written down here independently of Instance.Check.
type explorer struct {
	t      *testing.T
	plan   *saga.Definition
	seen   map[string]int // state → its number
	states []exploredState
	edges  [][]int // from each state to the next ones
}

type exploredState struct {
	in     saga.Instance
	sent   []saga.CommandID // every command that ever left
	budget int              // disturbances that may still come: late replies, duplicates, actions
	from   int
	how    string
}

const (
	exploredBudget = 2
	exploredMost   = 100_000
)

func explore(t *testing.T, plan *saga.Definition) *explorer {
	t.Helper()
	e := &explorer{t: t, plan: plan, seen: make(map[string]int)}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	decision, err := plan.Start(saga.Start{ID: "s", At: at, Actor: "test"})
	require.NoError(t, err)
	e.add(exploredState{in: decision.Next, sent: ids(decision.Commands), budget: exploredBudget, from: -1, how: "start"}, nil)
	for i := 0; i < len(e.states); i++ { //nolint:intrange // the walk finds more states on its way
		e.expand(i)
		require.Less(t, len(e.states), exploredMost, "the walk should end")
	}
	e.checkThatEveryStateCanEnd()
	return e
}

func ids(commands []saga.Command) []saga.CommandID {
	var sent []saga.CommandID
	for _, command := range commands {
		sent = append(sent, command.ID)
	}
	return sent
}

// expand takes every step that is possible from a state.
func (e *explorer) expand(i int) {
	state := e.states[i]
	out := make(map[saga.CommandID]bool)
	for step := range state.in.Steps {
		if id, is := state.in.CommandOut(step); is {
			out[id] = true
		}
	}
	for _, id := range state.sent {
		if out[id] {
			e.step(i, saga.Reply{Command: id, Succeeded: true}, 0)
			e.step(i, saga.Reply{Command: id, Error: &saga.ReplyError{Code: "no", Retryable: true}}, 0)
			e.step(i, saga.Reply{Command: id, Error: &saga.ReplyError{Code: "never"}}, 0)
			e.step(i, saga.Lost{Command: id}, 1)
			continue
		}
		e.step(i, saga.Reply{Command: id, Succeeded: true}, 1) // late, or repeated
		e.step(i, saga.Reply{Command: id, Error: &saga.ReplyError{Code: "no"}}, 1)
	}
	if !state.in.WakeAt.IsZero() {
		e.step(i, saga.Wake{}, 0)
	}
	for _, name := range []saga.ActionName{
		saga.ActionRetry, saga.ActionSkip, saga.ActionCompensate, saga.ActionAbandon,
		saga.ActionAcknowledge, saga.ActionPause, saga.ActionResume,
	} {
		price := 1
		if name == saga.ActionResume || name == saga.ActionAbandon && state.in.Status == saga.Stuck {
			price = 0 // a person always comes in the end
		}
		for step := range e.plan.Steps {
			action := saga.Action{ID: fmt.Sprint(i, name), Name: name, Reason: "test", Actor: "person"}
			if name == saga.ActionSkip || name == saga.ActionCompensate && state.in.Status.Terminal() {
				action.Step = e.plan.Steps[step].Name
			} else if step > 0 {
				break
			}
			e.step(i, action, price)
		}
	}
}

// step decides one event and checks the edge.
func (e *explorer) step(from int, cause saga.Cause, price int) {
	state := e.states[from]
	if price > state.budget {
		return
	}
	now := state.in.UpdatedAt.Add(time.Millisecond)
	if _, wakes := cause.(saga.Wake); wakes && state.in.WakeAt.After(now) {
		now = state.in.WakeAt
	}
	before, err := json.Marshal(state.in)
	require.NoError(e.t, err)
	event := saga.Event{At: now, Cause: cause}
	decision, err := e.plan.Transition(state.in, event)
	how := fmt.Sprintf("%T %+v", cause, cause)
	require.NoError(e.t, err, "%s\nthen %s", e.story(from), how)
	again, err := e.plan.Transition(state.in, event)
	require.NoError(e.t, err)
	after, err := json.Marshal(state.in)
	require.NoError(e.t, err)
	require.Equal(e.t, string(before), string(after), "the input must not change")
	first, err := json.Marshal(decision)
	require.NoError(e.t, err)
	second, err := json.Marshal(again)
	require.NoError(e.t, err)
	require.Equal(e.t, string(first), string(second), "the same input must give the same decision")
	next := exploredState{
		in: decision.Next, sent: append(append([]saga.CommandID{}, state.sent...), ids(decision.Commands)...),
		budget: state.budget - price, from: from, how: how,
	}
	if fault := e.judge(state, next, decision); fault != "" {
		require.FailNow(e.t, fault, "%s\nthen %s", e.story(from), how)
	}
	if decision.Changed || !decision.Next.WakeAt.Equal(state.in.WakeAt) {
		e.add(next, &from)
	}
}

// judge says what is wrong with an edge.
func (e *explorer) judge(before, after exploredState, decision saga.Decision) string {
	in := &after.in
	if !decision.Changed {
		if in.Revision != before.in.Revision || len(decision.Commands)+len(decision.Entries) > 0 {
			return "a decision that changes nothing must have no effect"
		}
		return ""
	}
	switch {
	case in.Revision != before.in.Revision+1:
		return "the revision must grow by one"
	case len(decision.Entries) == 0 || decision.Entries[0].Seq != before.in.Entries+1:
		return "every change must be in the history, without gaps"
	case before.in.Status.Terminal() && in.Status != before.in.Status && in.ReopenedFrom == "":
		return "an end must stay"
	case before.in.Status == saga.Paused && in.Status == saga.Paused && len(decision.Commands) > 0:
		return "nothing may be dispatched during a pause"
	}
	sent := make(map[saga.CommandID]bool)
	for _, id := range before.sent {
		sent[id] = true
	}
	for _, command := range decision.Commands {
		if sent[command.ID] {
			return "a command id must not be used twice"
		}
		sent[command.ID] = true
	}
	return e.judgeState(in)
}

func (e *explorer) judgeState(in *saga.Instance) string {
	forwardOut, undoOut, out := false, false, 0
	for i := range in.Steps {
		if id, is := in.CommandOut(i); is {
			out++
			forwardOut = forwardOut || id.Direction == saga.Execute
			undoOut = undoOut || id.Direction == saga.Compensate
		}
	}
	live := !in.Status.Terminal() && in.Status != saga.Stuck && in.Status != saga.Paused
	switch {
	case forwardOut && undoOut && in.Phase != saga.PhaseEnded && in.ReopenedFrom == "":
		return "nothing may be undone while a forward command is out"
	case live && in.WakeAt.IsZero():
		return "a live saga must have a time to wake"
	case in.Status == saga.Stuck && (in.Attention == nil || out > 0 && in.ReopenedFrom == ""):
		return "a stuck saga must say why, and have nothing out"
	}
	for i := range in.Steps {
		s, step := &in.Steps[i], &e.plan.Steps[i]
		tookEffect := s.Status == saga.StepSucceeded || s.Status == saga.StepUnknown
		if in.Status == saga.Compensated && step.Compensation != "" && tookEffect {
			return "a compensated saga must have nothing left to undo"
		}
		if in.Status == saga.Completed && s.Status != saga.StepSucceeded && s.Status != saga.StepSkipped {
			return "a completed saga must have every step done"
		}
		if step.Kind == saga.Pivot && s.Status == saga.StepSucceeded && in.Phase == saga.PhaseBackward && in.ReopenedFrom == "" {
			return "past the pivot nothing may be undone"
		}
	}
	return ""
}

// add numbers a state. Times are left out: they only grow.
func (e *explorer) add(state exploredState, from *int) {
	shape := state.in
	shape.Revision, shape.Entries, shape.LastAction = 0, 0, ""
	shape.WakeAt = time.Time{}
	text, err := json.Marshal(shape)
	require.NoError(e.t, err)
	key := fmt.Sprint(state.budget, timeless(string(text)), state.sent)
	number, known := e.seen[key]
	if !known {
		number = len(e.states)
		e.seen[key] = number
		e.states = append(e.states, state)
		e.edges = append(e.edges, nil)
	}
	if from != nil {
		e.edges[*from] = append(e.edges[*from], number)
	}
}

// timeless cuts every time out of a JSON text, but leaves whether there is one.
func timeless(text string) string {
	var kept strings.Builder
	for {
		at := strings.Index(text, `"2026-`)
		if at < 0 {
			return kept.String() + text
		}
		kept.WriteString(text[:at] + "@")
		rest := text[at+1:]
		text = rest[strings.Index(rest, `"`)+1:]
	}
}

// checkThatEveryStateCanEnd walks back from the ends.
func (e *explorer) checkThatEveryStateCanEnd() {
	back := make([][]int, len(e.states))
	for from, all := range e.edges {
		for _, to := range all {
			back[to] = append(back[to], from)
		}
	}
	ends := make([]bool, len(e.states))
	var open []int
	for i := range e.states {
		if e.states[i].in.Status.Terminal() {
			ends[i] = true
			open = append(open, i)
		}
	}
	for len(open) > 0 {
		last := open[len(open)-1]
		open = open[:len(open)-1]
		for _, from := range back[last] {
			if !ends[from] {
				ends[from] = true
				open = append(open, from)
			}
		}
	}
	for i := range e.states {
		require.True(e.t, ends[i], "a state that cannot end:\n%s", e.story(i))
	}
}

// story is the shortest history that leads to a state.
func (e *explorer) story(i int) string {
	if i < 0 {
		return ""
	}
	return e.story(e.states[i].from) + "\n" + e.states[i].how + " ⇒ " + string(e.states[i].in.Status)
}

func TestEveryOrderOfEventsOfSmallSagasKeepsTheRules(t *testing.T) {
	t.Parallel()
	twice := saga.Retry(saga.Attempts(2))
	undo := func(name string) saga.StepOption { return saga.CompensatedBy("q.un" + name) }
	patience := saga.CompensationRetry(saga.Attempts(1))
	once := saga.Retry(saga.Attempts(1))
	shapes := map[string]*saga.Builder{
		"one step":       saga.New("d").Step("a", "q.a", undo("a"), twice, patience),
		"chain":          saga.New("d").Step("a", "q.a", undo("a"), once, patience).Step("b", "q.b", undo("b"), once, patience),
		"nothing undone": saga.New("d").Step("a", "q.a", twice).Step("b", "q.b", undo("b"), once, patience),
		"branches":       saga.New("d").Step("a", "q.a", saga.AtOnce(), undo("a"), once, patience).Step("b", "q.b", saga.AtOnce(), undo("b"), once, patience),
		"join":           saga.New("d").Step("a", "q.a", saga.AtOnce(), undo("a"), once, patience).Step("b", "q.b", saga.AtOnce(), once).Step("c", "q.c", saga.After("a", "b"), once),
		"pivot":          saga.New("d").Step("a", "q.a", undo("a"), once, patience).Pivot("p", "q.p", twice),
		"pivot first":    saga.New("d").Pivot("p", "q.p", once).Retriable("r", "q.r", twice),
		"retriable":      saga.New("d").Retriable("r", "q.r", once).Retriable("s", "q.s", once),
		"deadline":       saga.New("d").Deadline(time.Second).Step("a", "q.a", undo("a"), once, patience).Pivot("p", "q.p", once),
	}
	for name, shape := range shapes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plan, err := shape.Build()
			require.NoError(t, err)
			e := explore(t, plan)
			edges := 0
			for _, all := range e.edges {
				edges += len(all)
			}
			t.Logf("%d states, %d edges", len(e.states), edges)
		})
	}
}
