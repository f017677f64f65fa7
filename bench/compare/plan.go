package compare

import (
	"fmt"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/bench/system"
)

// The systems with columns of their own in the table.
const (
	Ours      = "ours"       // with workers of the SDK
	AnyClient = "any-client" // ours, with a worker that any AMQP client makes, and as many handlers as naive's
	OneByOne  = "one-by-one" // the same, but each queue's commands are handled one after the other
	Pika      = "pika"       // the same in Python, with two processes for each queue
	Roofline  = "roofline"
)

// Plan defines the runs of a comparison.
type Plan struct {
	Systems  []string
	Variants []system.Variant
	InFlight []int
	Rounds   int
	Warmup   time.Duration
	Duration time.Duration
	OneByOne []string // systems that also run with one saga at a time
}

// Cell is one kind of load. Every system runs it once per round.
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

// assignment is a scheduled run.
type assignment struct {
	cell   Cell
	round  int
	system string
}

// cells returns the sections of the table.
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

// systemsOf returns the systems that run a cell.
func (p Plan) systemsOf(cell Cell) []string {
	if slices.Contains(p.InFlight, cell.InFlight) {
		return p.Systems
	}
	return p.OneByOne
}

// schedule returns all runs in order. The order of the systems rotates from round to round, so that each runs first in turn.
func (p Plan) schedule() []assignment {
	var all []assignment
	for round := range p.Rounds {
		for _, cell := range p.cells() {
			names := p.systemsOf(cell)
			for i := range names {
				all = append(all, assignment{cell, round, names[(i+round)%len(names)]})
			}
		}
	}
	return all
}
