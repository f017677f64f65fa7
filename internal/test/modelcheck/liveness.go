package modelcheck

import "github.com/saga-orchestrator/orchestrator/saga"

// flavour says what a move is good for.
type flavour uint8

const (
	// hopeful moves are those that a system at work will make sooner or later: deliveries, good answers, timers, and a
	// person who lets a saga go on. Giving up is none.
	hopeful flavour = 1 << iota
	// automatic moves need no person.
	automatic
)

// edges are kept by their ends.
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

func (w *walk) flavour(s *State, m Move) flavour {
	var f flavour
	switch m.What {
	case Succeeds, UndoSucceeds, FallsDue:
		f = hopeful
	case Acts:
		if m.Action == saga.ActionRetry || m.Action == saga.ActionResume && s.Saga.Status == saga.Paused {
			f = hopeful
		}
	}
	if !m.personal() {
		f |= automatic
	}
	return f
}

// liveness: every state that has not ended can end without anybody giving up; and left alone every saga comes to a stop,
// whatever the workers say: no cycle of automatic moves keeps it busy for ever.
func (w *walk) liveness() error {
	if stranded := w.stranded(); stranded >= 0 {
		return &Fault{Rule: "a saga that can never end", History: w.history(stranded)}
	}
	if busy := w.busy(); busy >= 0 {
		return &Fault{Rule: "a saga that can be busy for ever", History: w.history(busy)}
	}
	return nil
}

// stranded walks back from the ends along hopeful moves, and returns a state that it does not reach.
func (w *walk) stranded() int32 {
	back := w.edges.grouped(w.edges.to, w.edges.from, len(w.from), hopeful)
	reached := make([]bool, len(w.from))
	var open []int32
	for i := range w.kinds {
		if w.kinds[i].terminal {
			reached[i] = true
			open = append(open, int32(i)) //nolint:gosec // numbers of states
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

// busy takes away, again and again, the states that nothing automatic leads to; what is left is on a cycle, or after one.
func (w *walk) busy() int32 {
	forth := w.edges.grouped(w.edges.from, w.edges.to, len(w.from), automatic)
	incoming := make([]int32, len(w.from))
	for _, to := range forth.ends {
		incoming[to]++
	}
	var open []int32
	for i := range incoming {
		if incoming[i] == 0 {
			open = append(open, int32(i)) //nolint:gosec // numbers of states
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
			return int32(i) //nolint:gosec // numbers of states
		}
	}
	return -1
}

// grouped are edges by one of their ends.
type grouped struct{ starts, ends []int32 }

// grouped sorts the edges of a flavour by the end in keys, counting first.
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
