package saga

import "time"

// Kind is the role of a step in the saga.
type Kind string

// The kinds of steps.
const (
	Compensatable Kind = "compensatable" // can be compensated
	Pivot         Kind = "pivot"         // its success commits the saga
	Retriable     Kind = "retriable"     // must finally succeed; never compensated
)

// Definition is the named, versioned description of a saga. New and ParseDefinition check it and fill in every default;
// it never changes afterwards.
type Definition struct {
	Name        string
	Version     int // set by the store at registration; 0 before
	Description string
	Deadline    Duration      // how long a saga may take to its pivot; 0: no limit
	OnFailure   FailurePolicy // default: TurnBack
	Retention   Retention     // how long finished sagas are kept
	Sensitive   []Pointer     // to members of the data whose values are masked; see Builder.Sensitive
	DataSchema  RawSchema     // JSON Schema of the data that a saga starts with; nil: any object
	Steps       []Step

	graph    graph
	hidden   *sensitiveNode // nil: nothing is sensitive
	compiled compiled
}

// FailurePolicy decides what a final failure before the pivot, or of the pivot, leads to.
type FailurePolicy string

// The failure policies.
const (
	TurnBack FailurePolicy = "compensate" // the saga compensates; the default
	Park     FailurePolicy = "park"       // the saga is stuck until an operator decides
)

// Step is one local transaction of a service, a wait, or a saga of its own, with at most one compensation. It has exactly
// one of Command, Signal, Delay, Until and Saga.
type Step struct {
	Name                string
	Command             string
	Signal              string   // name of the signal that it waits for; its Timeout may be 0: no limit
	Delay               Duration // how long it waits
	Until               Pointer  // where the data has the time that it waits for
	Saga                string   // definition of the child that it starts
	Compensation        string   // empty: none
	Queue               string   // worker queue of its commands; empty: it sends none
	Kind                Kind
	After               []string           // names of the steps that must be done first, in the order of the definition
	When                string             // CEL expression over the data: false skips the step; empty: always
	Input               map[string]Pointer // what its commands get of the data; nil: all
	OutputAs            string             // the member of the data that gets its output; empty: the members of the output are merged
	OutputSchema        RawSchema          // JSON Schema of its output; nil: any object
	Timeout             Duration           // of one attempt, from its dispatch; 0 for a step that waits
	Retry               RetryPolicy
	CompensationTimeout Duration
	CompensationRetry   RetryPolicy
}

// RetryPolicy decides how often and when a failed attempt is repeated.
type RetryPolicy struct {
	MaxAttempts     int      `json:"max_attempts"`            // 1 to 1000; a failure of the last one is final
	InitialInterval Duration `json:"initial_interval"`        // wait before the second attempt
	Multiplier      float64  `json:"multiplier"`              // growth of the wait per attempt, 1 to 100
	MaxInterval     Duration `json:"max_interval"`            // longest wait
	Jitter          float64  `json:"jitter"`                  // the share by which an interval may be longer or shorter, 0 to 1
	NonRetryable    []string `json:"non_retryable,omitempty"` // error codes after which a failure is final
}

// Defaults and limits of a definition.
const (
	DefaultTimeout         = 30 * time.Second
	DefaultAttempts        = 5
	DefaultPersistence     = 20 // attempts of retriable steps and compensations, which must finally succeed
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
	MaxFaults       = 100 // reported for one definition
)

// Queues returns the worker queues of the definition, each once, in the order of the steps.
func (d *Definition) Queues() []string {
	queues := []string{}
	seen := make(map[string]bool, len(d.Steps))
	for _, step := range d.Steps {
		if step.Queue != "" && !seen[step.Queue] {
			seen[step.Queue] = true
			queues = append(queues, step.Queue)
		}
	}
	return queues
}

// HasPivot reports whether the sagas of the definition cannot be compensated from some point on, or at all.
func (d *Definition) HasPivot() bool { return d.graph.pivot >= 0 || d.graph.forwardOnly }

// step returns the position of the step with that name, or -1.
func (d *Definition) step(name string) int {
	for i := range d.Steps {
		if d.Steps[i].Name == name {
			return i
		}
	}
	return -1
}

// positions returns the position of each step, by name.
func (d *Definition) positions() map[string]int {
	positions := make(map[string]int, len(d.Steps))
	for i := range d.Steps {
		if _, repeated := positions[d.Steps[i].Name]; !repeated {
			positions[d.Steps[i].Name] = i
		}
	}
	return positions
}

// CommandFor returns the name, queue and timeout of a step's commands in one direction: empty if it sends none. known is false if
// the definition does not have the step.
func (d *Definition) CommandFor(step string, direction Direction) (command, queue string, timeout time.Duration, known bool) {
	i := d.step(step)
	if i < 0 {
		return "", "", 0, false
	}
	s := &d.Steps[i]
	if !s.sends(direction) {
		return "", "", 0, true
	}
	if direction == Compensate {
		return s.Compensation, s.Queue, asDuration(s.CompensationTimeout), true
	}
	return s.Command, s.Queue, asDuration(s.Timeout), true
}

// graph is the order of the steps, computed once from their After lists.
type graph struct {
	before      [][]int // direct predecessors of each step
	descendants [][]int // every step after it, directly or not
	pivot       int     // -1 if there is none
	forwardOnly bool    // every step is retriable, so the saga never turns back
}

// newGraph requires a definition without faults.
func newGraph(d *Definition) graph {
	g := graph{before: make([][]int, len(d.Steps)), descendants: make([][]int, len(d.Steps)), pivot: -1, forwardOnly: true}
	positions := d.positions()
	for i, step := range d.Steps {
		for _, name := range step.After {
			g.before[i] = append(g.before[i], positions[name])
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

// ancestors returns every step before step i, each once.
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
