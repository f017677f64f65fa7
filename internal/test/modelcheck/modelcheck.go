package modelcheck

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Result is what a search has seen.
type Result struct {
	States int
	Edges  int
	// Statuses holds the changes of the saga's status, and Steps those of its steps.
	Statuses map[Change]bool
	Steps    map[Change]bool
}

// Change is an arrow of a state diagram, with the kind of move that causes it.
type Change struct{ From, To, By string }

// Fault is an edge that breaks a rule, with the shortest history that leads to it.
type Fault struct {
	Rule    string
	History []string
}

func (f *Fault) Error() string {
	return fmt.Sprintf("%s, after:\n  %s", f.Rule, strings.Join(f.History, "\n  "))
}

// search visits the states of one shape, breadth first.
type search struct {
	def        *saga.Definition
	options    Options
	workers    bool
	tooMuch    json.RawMessage
	oracle     oracle
	symmetries [][]int

	numbers map[Key]int32
	open    []State // not expanded yet, from number closed on
	closed  int32
	from    []int32
	by      []Move
	kinds   []stateKind
	edges   edges
	result  Result
}

// stateKind is what the liveness checks need to know of a state.
type stateKind struct{ terminal bool }

// Strangers checks a shape with workers that answer anything at any time. tooMuch adds outputs that do not fit.
func Strangers(def *saga.Definition, options Options, tooMuch bool) (Result, error) {
	w := &search{def: def, options: options}
	if tooMuch {
		w.tooMuch = json.RawMessage(`{"much":"` + strings.Repeat("m", saga.MaxDataBytes) + `"}`)
	}
	return w.run()
}

// Workers checks a shape with workers that keep the barrier's promises, and compares the saga with their ledger.
func Workers(def *saga.Definition, options Options) (Result, error) {
	return (&search{def: def, options: options, workers: true}).run()
}

func (w *search) run() (Result, error) {
	w.numbers = make(map[Key]int32)
	w.symmetries = symmetries(w.def)
	w.result = Result{Statuses: make(map[Change]bool), Steps: make(map[Change]bool)}
	if err := w.def.Compile(&w.oracle); err != nil {
		return w.result, fmt.Errorf("compile: %w", err)
	}
	start := saga.Start{ID: "s", At: now, Actor: "check", Data: json.RawMessage(worldData)}
	if w.options.Child {
		start.Parent = &saga.Parent{Saga: "p", Step: "x", Level: 2}
	}
	if w.options.Scheduled {
		start.StartAt = now.Add(later)
	}
	if err := w.start(start); err != nil {
		return w.result, err
	}
	for len(w.open) > 0 {
		state := w.open[0]
		w.open = w.open[1:]
		if err := w.expand(&state); err != nil {
			return w.result, err
		}
		w.closed++
	}
	w.result.States = len(w.from)
	return w.result, w.liveness()
}

// start makes the first states: one for each way in which the start can be decided.
func (w *search) start(start saga.Start) error {
	moves := []Move{{}}
	for at := 0; at < len(moves); at++ {
		if moves[at].Data != nil {
			start.Data = moves[at].Data
		}
		w.oracle.asked = 0
		decision, err := w.def.Start(start)
		if err != nil {
			return fmt.Errorf("start: %w", err)
		}
		first := State{Saga: normalize(decision.Next)}
		before := saga.Instance{Progress: saga.Progress{Steps: make([]saga.StepState, len(w.def.Steps))}}
		e := edge{def: w.def, move: moves[at], before: &before, at: now, decision: &decision, asked: w.oracle.asked}
		if fault := checkWaits(e); fault != "" {
			return &Fault{Rule: fault, History: []string{"it starts"}}
		}
		if w.workers {
			first.waited(w.def, &decision, Move{})
		}
		w.note(Change{From: "[*]", To: string(first.Saga.Status), By: "start"}, w.result.Statuses)
		w.number(first, -1, moves[at])
		moves = append(moves, w.otherwise(moves[at], decision.Entries)...)
	}
	return nil
}

// number returns the number of a state, and adds the state if it is new.
func (w *search) number(s State, from int32, by Move) int32 {
	key := s.key().canonical(w.symmetries)
	if number, known := w.numbers[key]; known {
		return number
	}
	number := int32(len(w.from))
	w.numbers[key] = number
	w.open = append(w.open, s)
	w.from = append(w.from, from)
	w.by = append(w.by, by)
	w.kinds = append(w.kinds, stateKind{terminal: s.Saga.Status.Terminal()})
	return number
}

// expand makes every move from a state.
func (w *search) expand(s *State) error {
	taken := make(map[saga.ActionName]bool)
	moves := w.moves(s)
	for at := 0; at < len(moves); at++ { // moves may grow
		m := moves[at]
		w.result.Edges++
		if m.delivery() {
			next := *s
			next.deliver(m)
			if fault := next.settle(w.def); fault != "" {
				return w.fault(fault, m)
			}
			w.edges.add(w.closed, w.number(next, w.closed, m), hopeful)
			continue
		}
		w.oracle.asked = 0
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
		moves = append(moves, w.otherwise(m, decision.Entries)...)
	}
	for _, name := range actionNames() {
		if name == saga.ActionRewind && !w.mayRewind(s) {
			continue
		}
		if taken[name] != slices.Contains(w.def.AllowedActions(&s.Saga), name) {
			return w.fault(fmt.Sprintf("%s is accepted: %t, but allowed are %v", name, taken[name], w.def.AllowedActions(&s.Saga)), Move{What: Acts, Action: name})
		}
	}
	return nil
}

// step lets the core decide and checks the edge. The next state is nil if nothing changed.
func (w *search) step(s *State, m Move) (*State, saga.Decision, string) {
	in, event := m.event(s.Saga)
	given := (&State{Saga: in}).key()
	decision, err := w.def.Transition(in, event)
	if err != nil {
		return nil, decision, fmt.Sprintf("the core reports a defect: %v", err)
	}
	if (&State{Saga: in}).key() != given {
		return nil, decision, "the input instance has changed"
	}
	e := edge{def: w.def, move: m, before: &in, at: event.At, decision: &decision, asked: w.oracle.asked}
	if fault := checkEdge(e); fault != "" {
		return nil, decision, fault
	}
	if fault := twice(w.def, e); fault != "" {
		return nil, decision, fault
	}
	if fault := settledBefore(w.def, e); fault != "" {
		return nil, decision, fault
	}
	if !decision.Changed {
		return nil, decision, ""
	}
	next := State{Saga: normalize(decision.Next), Workers: s.Workers, Decided: s.Decided, Waived: s.Waived, Rewound: s.Rewound}
	next.Rewound = w.options.Rewinds == Once && (s.Rewound || decision.Next.Rewind != nil || rewoundTo(e) != "")
	w.observe(&s.Saga, &next.Saga, m)
	if !w.workers {
		return &next, decision, ""
	}
	if fault := next.rewound(w.def, &s.Saga, &decision.Next, m); fault != "" {
		return nil, decision, fault
	}
	next.replaced(decision.Commands, func(name string) int { return stepOf(w.def, name) })
	next.withdrawn(w.def, &s.Saga, decision.Withdrawn)
	next.waited(w.def, &decision, m)
	next.recordDecision(w.def, &s.Saga, m)
	return &next, decision, next.settle(w.def)
}

// fault returns the history of the expanded state, plus the faulty move.
func (w *search) fault(rule string, m Move) error {
	return &Fault{Rule: rule, History: append(w.history(w.closed), m.String())}
}

func (w *search) history(number int32) []string {
	var lines []string
	for ; w.from[number] >= 0; number = w.from[number] {
		lines = append(lines, w.by[number].String())
	}
	slices.Reverse(lines)
	return lines
}
