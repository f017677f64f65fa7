package compare

import (
	"fmt"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/bench/system"
)

// The systems that have a part of their own in the table.
const (
	Ours     = "ours"
	Roofline = "roofline"
)

// Plan is what is compared.
type Plan struct {
	Systems  []string
	Variants []system.Variant
	InFlight []int
	Rounds   int
	Warmup   time.Duration
	Duration time.Duration
	OneByOne []string // systems that also make sagas one after the other
}

// Cell is one way of making sagas. Every system has a run for each.
type Cell struct {
	Variant  system.Variant `json:"variant"`
	InFlight int            `json:"in_flight"`
}

func (c Cell) String() string {
	how := "all three steps succeed"
	if c.Variant == system.Compensating {
		how = "the third step fails, two compensations"
	}
	if c.InFlight == 1 {
		return fmt.Sprintf("%s: %s, one saga at a time", c.Variant, how)
	}
	return fmt.Sprintf("%s: %s, %d in flight", c.Variant, how, c.InFlight)
}

// assignment is one run that is to be taken.
type assignment struct {
	cell   Cell
	round  int
	system string
}

// cells are the parts of the table.
func (p Plan) cells() []Cell {
	var cells []Cell
	for _, variant := range p.Variants {
		for _, n := range p.InFlight {
			cells = append(cells, Cell{variant, n})
		}
	}
	if alone := (Cell{system.Succeeding, 1}); len(p.OneByOne) > 0 && !slices.Contains(cells, alone) {
		cells = append(cells, alone)
	}
	return cells
}

// whoTakes are the systems that have a run for a cell.
func (p Plan) whoTakes(cell Cell) []string {
	if slices.Contains(p.InFlight, cell.InFlight) {
		return p.Systems
	}
	return p.OneByOne
}

// schedule is every run in its order. Who begins changes from round to round, so that nobody always runs after the same
// neighbour.
func (p Plan) schedule() []assignment {
	var all []assignment
	for round := range p.Rounds {
		for _, cell := range p.cells() {
			names := p.whoTakes(cell)
			for i := range names {
				all = append(all, assignment{cell, round, names[(i+round)%len(names)]})
			}
		}
	}
	return all
}
