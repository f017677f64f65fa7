package modelcheck

import "github.com/saga-orchestrator/orchestrator/saga"

// flavour classifies moves for the liveness checks.
type flavour uint8

const (
	// hopeful moves happen eventually in a working system: deliveries, successes, timers, and operators who retry or
	// resume. Abandoning a saga is not hopeful.
	hopeful flavour = 1 << iota
	// automatic moves need no operator.
	automatic
)

// edges holds the edges between numbered states, in parallel slices.
type edges struct {
	from, to []int32
	flavours []flavour
}

func (e *edges) add(from, to int32, f flavour) {
	if from == to {
		return
	}
	e.from, e.to, e.flavours = append(e.from, from), append(e.to, to), append(e.flavours, f)
}

func (w *search) flavour(s *State, m Move) flavour {
	var f flavour
	switch m.What {
	case Succeeds, CompensationSucceeds, FallsDue, SignalSucceeds, ChildCompletes, ChildCompensates, ChildAbandons, ChildRefuses:
		f = hopeful
	case Acts:
		if m.Action == saga.ActionRetry || m.Action == saga.ActionResume && s.Saga.Status == saga.Paused {
			f = hopeful
		}
	}
	if !m.byOperator() {
		f |= automatic
	}
	return f
}

// liveness checks that every state can reach an end without an operator who abandons the saga, and that no cycle of
// automatic moves keeps a saga busy forever.
func (w *search) liveness() error {
	if deadEnd := w.deadEnd(); deadEnd >= 0 {
		return &Fault{Rule: "the saga can never end", History: w.history(deadEnd)}
	}
	if livelock := w.livelock(); livelock >= 0 {
		return &Fault{Rule: "the saga can be busy forever", History: w.history(livelock)}
	}
	return nil
}

// deadEnd goes back from the ends along hopeful moves and returns a state that it does not reach, or -1.
func (w *search) deadEnd() int32 {
	back := w.edges.grouped(w.edges.to, w.edges.from, len(w.from), hopeful)
	reached := make([]bool, len(w.from))
	var open []int32
	for i := range w.kinds {
		if w.kinds[i].terminal {
			reached[i] = true
			open = append(open, int32(i))
		}
	}
	for len(open) > 0 {
		last := open[len(open)-1]
		open = open[:len(open)-1]
		for _, from := range back.of(last) {
			if !reached[from] {
				reached[from] = true
				open = append(open, from)
			}
		}
	}
	return first(reached, false)
}

// livelock repeatedly removes the states without an automatic move into them. A remaining state is on a cycle or behind
// one. It returns one, or -1.
func (w *search) livelock() int32 {
	forth := w.edges.grouped(w.edges.from, w.edges.to, len(w.from), automatic)
	incoming := make([]int32, len(w.from))
	for _, to := range forth.ends {
		incoming[to]++
	}
	var open []int32
	for i := range incoming {
		if incoming[i] == 0 {
			open = append(open, int32(i))
		}
	}
	gone := make([]bool, len(w.from))
	for len(open) > 0 {
		last := open[len(open)-1]
		open = open[:len(open)-1]
		gone[last] = true
		for _, to := range forth.of(last) {
			if incoming[to]--; incoming[to] == 0 {
				open = append(open, to)
			}
		}
	}
	return first(gone, false)
}

func first(all []bool, wanted bool) int32 {
	for i, is := range all {
		if is == wanted {
			return int32(i)
		}
	}
	return -1
}

// grouped holds edges sorted by one of their ends.
type grouped struct{ starts, ends []int32 }

// grouped sorts the edges of a flavour by the end in keys, with a counting sort.
func (e *edges) grouped(keys, values []int32, states int, wanted flavour) grouped {
	g := grouped{starts: make([]int32, states+1)}
	for i, key := range keys {
		if e.flavours[i]&wanted != 0 {
			g.starts[key+1]++
		}
	}
	for i := range states {
		g.starts[i+1] += g.starts[i]
	}
	g.ends = make([]int32, g.starts[states])
	next := append([]int32(nil), g.starts[:states]...)
	for i, key := range keys {
		if e.flavours[i]&wanted != 0 {
			g.ends[next[key]] = values[i]
			next[key]++
		}
	}
	return g
}

func (g grouped) of(state int32) []int32 { return g.ends[g.starts[state]:g.starts[state+1]] }
