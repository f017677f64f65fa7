package modelcheck

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Walked is what a walk has seen.
type Walked struct {
	States int
	Edges  int
	// Statuses counts the changes of a saga's status, Steps those of a step's, by "from → to".
	Statuses map[Change]bool
	Steps    map[Change]bool
}

// Change is one arrow of a state diagram, with the kind of move that causes it.
type Change struct{ From, To, By string }

// Fault is an edge that breaks a rule, with the shortest history that leads to it.
type Fault struct {
	Rule    string
	History []string
}

func (f *Fault) Error() string {
	return fmt.Sprintf("%s, after:\n  %s", f.Rule, strings.Join(f.History, "\n  "))
}

// walk goes through the states of one shape, breadth first.
type walk struct {
	plan       *saga.Definition
	options    Options
	workers    bool
	tooMuch    json.RawMessage
	symmetries [][]int

	numbers map[Key]int32
	open    []State // those that have not been expanded yet, from number closed on
	closed  int32
	from    []int32
	by      []Move
	kinds   []standing
	edges   edges
	walked  Walked
}

// standing is what liveness must know of a state.
type standing struct{ terminal bool }

// Strangers walks a shape with workers that answer anything at any time. tooMuch adds outputs that do not fit.
func Strangers(plan *saga.Definition, options Options, tooMuch bool) (Walked, error) {
	w := &walk{plan: plan, options: options}
	if tooMuch {
		w.tooMuch = json.RawMessage(`{"much":"` + strings.Repeat("m", saga.MaxDataBytes) + `"}`)
	}
	return w.run()
}

// Workers walks a shape with workers that keep the barrier's promises, and holds the saga against their ledger.
func Workers(plan *saga.Definition, options Options) (Walked, error) {
	return (&walk{plan: plan, options: options, workers: true}).run()
}

func (w *walk) run() (Walked, error) {
	w.numbers = make(map[Key]int32)
	w.symmetries = symmetries(w.plan)
	w.walked = Walked{Statuses: make(map[Change]bool), Steps: make(map[Change]bool)}
	start := saga.Start{ID: "s", At: now, Actor: "walk"}
	if w.options.Scheduled {
		start.StartAt = now.Add(later)
	}
	decision, err := w.plan.Start(start)
	if err != nil {
		return w.walked, fmt.Errorf("start: %w", err)
	}
	first := State{Saga: normalize(decision.Next)}
	w.note(Change{From: "[*]", To: string(first.Saga.Status), By: "start"}, w.walked.Statuses)
	w.number(first, -1, Move{})
	for len(w.open) > 0 {
		state := w.open[0]
		w.open = w.open[1:]
		if err := w.expand(&state); err != nil {
			return w.walked, err
		}
		w.closed++
	}
	w.walked.States = len(w.from)
	return w.walked, w.liveness()
}

// number finds the number of a state, or gives it one.
func (w *walk) number(s State, from int32, by Move) int32 {
	key := s.key().canonical(w.symmetries)
	if number, known := w.numbers[key]; known {
		return number
	}
	number := int32(len(w.from)) //nolint:gosec // memory ends long before
	w.numbers[key] = number
	w.open = append(w.open, s)
	w.from = append(w.from, from)
	w.by = append(w.by, by)
	w.kinds = append(w.kinds, standing{terminal: s.Saga.Status.Terminal()})
	return number
}

// expand takes every move from a state.
func (w *walk) expand(s *State) error {
	taken := make(map[saga.ActionName]bool)
	for _, m := range w.moves(s) {
		w.walked.Edges++
		if m.delivery() {
			next := *s
			next.deliver(m)
			if fault := next.settle(w.plan); fault != "" {
				return w.fault(fault, m)
			}
			w.edges.add(w.closed, w.number(next, w.closed, m), hopeful)
			continue
		}
		next, decision, fault := w.step(s, m)
		if fault != "" {
			return w.fault(fault, m)
		}
		if m.What == Acts && !m.Late && decision.Refused == nil {
			taken[m.Action] = true
		}
		if next != nil {
			w.edges.add(w.closed, w.number(*next, w.closed, m), w.flavour(s, m))
		}
	}
	for _, name := range actionNames() {
		if taken[name] != slices.Contains(w.plan.AllowedActions(&s.Saga), name) {
			return w.fault(fmt.Sprintf("%s is taken: %t, but allowed are %v", name, taken[name], w.plan.AllowedActions(&s.Saga)), Move{What: Acts, Action: name})
		}
	}
	return nil
}

// step lets the core decide, and judges it. The state that follows is nil where nothing changed.
func (w *walk) step(s *State, m Move) (*State, saga.Decision, string) {
	in, event := m.event(s.Saga)
	given := (&State{Saga: in}).key()
	decision, err := w.plan.Transition(in, event)
	if err != nil {
		return nil, decision, fmt.Sprintf("a defect shows: %v", err)
	}
	if (&State{Saga: in}).key() != given {
		return nil, decision, "the instance that was given has changed"
	}
	e := edge{plan: w.plan, move: m, before: &in, at: event.At, decision: &decision}
	if fault := judge(e); fault != "" {
		return nil, decision, fault
	}
	if fault := twice(w.plan, e); fault != "" {
		return nil, decision, fault
	}
	if !decision.Changed {
		return nil, decision, ""
	}
	next := State{Saga: normalize(decision.Next), Workers: s.Workers, Decided: s.Decided, Waived: s.Waived}
	w.observe(&s.Saga, &next.Saga, m)
	if !w.workers {
		return &next, decision, ""
	}
	next.replaced(decision.Commands, func(name string) int { return stepOf(w.plan, name) })
	next.decide(w.plan, &s.Saga, m)
	return &next, decision, next.settle(w.plan)
}

// fault tells the history of the state that is being expanded, and the move that goes wrong.
func (w *walk) fault(rule string, m Move) error {
	return &Fault{Rule: rule, History: append(w.history(w.closed), m.String())}
}

func (w *walk) history(number int32) []string {
	var told []string
	for ; number > 0; number = w.from[number] {
		told = append(told, w.by[number].String())
	}
	slices.Reverse(told)
	return told
}
