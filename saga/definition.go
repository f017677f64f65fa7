package saga

import "time"

// Kind says which part a step plays on the way to the saga's end.
type Kind string

// The kinds of steps. A compensatable step may be undone; the success of the pivot commits the saga; a retriable
// step must finally succeed and is never undone.
const (
	Compensatable Kind = "compensatable"
	Pivot         Kind = "pivot"
	Retriable     Kind = "retriable"
)

// Definition is the named, versioned plan of a saga. It is data: made by New or ParseDefinition, which check it and
// fill in every default, and never changed afterwards.
type Definition struct {
	Name        string
	Version     int // given by the store when the definition is registered; 0 before that
	Description string
	Deadline    Duration // how long a saga may take before its pivot; 0 means no limit
	Steps       []Step

	graph graph
}

// Step is one local transaction in some service, with at most one compensation.
type Step struct {
	Name                string
	Command             string
	Compensation        string // empty: there is nothing to undo
	Queue               string
	Kind                Kind
	After               []string // names of the steps that must be done first, in the definition's order
	Timeout             Duration // of one attempt, from its dispatch
	Retry               RetryPolicy
	CompensationTimeout Duration
	CompensationRetry   RetryPolicy
}

// RetryPolicy says how often and when a failed attempt is made again.
type RetryPolicy struct {
	MaxAttempts     int      `json:"max_attempts"`
	InitialInterval Duration `json:"initial_interval"`
	Multiplier      float64  `json:"multiplier"`
	MaxInterval     Duration `json:"max_interval"`
	Jitter          float64  `json:"jitter"` // the share of the interval by which it may be longer or shorter
	NonRetryable    []string `json:"non_retryable,omitempty"`
}

// Defaults and limits of a definition, as the contract gives them.
const (
	DefaultTimeout         = 30 * time.Second
	DefaultAttempts        = 5
	DefaultPersistence     = 20 // attempts of what must finally succeed: retriable steps and compensations
	DefaultInitialInterval = time.Second
	DefaultMultiplier      = 2.0
	DefaultMaxInterval     = time.Minute
	DefaultJitter          = 0.2

	MaxSteps        = 100
	MaxAttempts     = 1000
	MaxMultiplier   = 100.0
	MinInterval     = time.Millisecond
	MaxDuration     = 365 * 24 * time.Hour
	MaxDescription  = 4096
	MaxNonRetryable = 100
	MaxFaults       = 100 // that are told of one definition
)

// Queues returns the worker queues that the definition's commands go to, each once, in the order of the steps.
func (d *Definition) Queues() []string {
	var queues []string
	seen := make(map[string]bool, len(d.Steps))
	for _, step := range d.Steps {
		if !seen[step.Queue] {
			seen[step.Queue] = true
			queues = append(queues, step.Queue)
		}
	}
	return queues
}

// step returns the position of the step with that name, or -1.
func (d *Definition) step(name string) int {
	for i := range d.Steps {
		if d.Steps[i].Name == name {
			return i
		}
	}
	return -1
}

// CommandFor returns the name, queue and timeout of a step's commands in one direction. known is false if the definition
// does not have the step.
func (d *Definition) CommandFor(step string, direction Direction) (command, queue string, timeout time.Duration, known bool) {
	i := d.step(step)
	if i < 0 {
		return "", "", 0, false
	}
	s := &d.Steps[i]
	if direction == Compensate {
		return s.Compensation, s.Queue, asDuration(s.CompensationTimeout), true
	}
	return s.Command, s.Queue, asDuration(s.Timeout), true
}

// graph is what a definition's `after` lists amount to, computed once.
type graph struct {
	before      [][]int // direct predecessors of each step
	descendants [][]int // every step that comes after it, directly or not
	pivot       int     // -1 when there is none
	forwardOnly bool    // every step is retriable: there is no way back
}

// newGraph needs a definition without faults.
func newGraph(d *Definition) graph {
	g := graph{before: make([][]int, len(d.Steps)), descendants: make([][]int, len(d.Steps)), pivot: -1, forwardOnly: true}
	for i, step := range d.Steps {
		for _, name := range step.After {
			g.before[i] = append(g.before[i], d.step(name))
		}
		if step.Kind == Pivot && g.pivot < 0 {
			g.pivot = i
		}
		g.forwardOnly = g.forwardOnly && step.Kind == Retriable
	}
	for i := range d.Steps {
		for _, ancestor := range ancestors(g.before, i) {
			g.descendants[ancestor] = append(g.descendants[ancestor], i)
		}
	}
	return g
}

// ancestors lists every step that step i comes after, each once.
func ancestors(before [][]int, i int) []int {
	seen := make([]bool, len(before))
	var found []int
	open := append([]int(nil), before[i]...)
	for len(open) > 0 {
		next := open[len(open)-1]
		open = open[:len(open)-1]
		if seen[next] {
			continue
		}
		seen[next] = true
		found = append(found, next)
		open = append(open, before[next]...)
	}
	return found
}
