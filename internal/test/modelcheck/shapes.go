package modelcheck

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Shape is a definition to check: the order of its steps, their kinds, and which can be compensated.
type Shape struct {
	Name       string
	Definition *saga.Definition
}

// Options is what families of shapes vary besides the steps.
type Options struct {
	Attempts      int  // of each step
	Compensations int  // attempts of each compensation
	Deadline      bool // the saga has a deadline
	Scheduled     bool // the saga starts later
	Overdue       bool // the saga may become overdue
	Park          bool // a final failure waits for an operator
	Rewinds       Rewinds
	Special       bool // one step waits, or has a condition; Shapes returns only such shapes
	Child         bool // the saga has a parent
}

// Rewinds is how often operators rewind a saga.
type Rewinds uint8

// Three steps have too many states for Often.
const (
	Never Rewinds = iota
	Once
	Often
)

func (o Options) String() string {
	text := fmt.Sprintf("%d/%d", o.Attempts, o.Compensations)
	if o.Deadline {
		text += " deadline"
	}
	if o.Scheduled {
		text += " scheduled"
	}
	if o.Overdue {
		text += " overdue"
	}
	if o.Park {
		text += " park"
	}
	if o.Child {
		text += " child"
	}
	if o.Special {
		text += " special"
	}
	if o.Rewinds != Never {
		text += " rewinds " + [...]string{"", "once", "often"}[o.Rewinds]
	}
	return text
}

// outline is a shape before it is a definition. after[i] is the set of steps directly before step i.
type outline struct {
	after        []uint8
	kinds        []saga.Kind
	compensation uint8 // the set of steps with a compensation
	special      int   // the step that waits or has a condition, if kind is not plain
	kind         special
}

// Shapes returns all definitions of n steps that differ in more than the names of their steps: every order without
// cycles, every place of a pivot, retriable steps only, and every choice of compensations.
func Shapes(n int, options Options) ([]Shape, error) {
	var shapes []Shape
	seen := make(map[string]bool)
	for _, after := range orders(n) {
		for _, kinds := range kindsOf(after) {
			for compensation := range uint8(1) << n {
				for _, o := range (outline{after: after, kinds: kinds, compensation: compensation}).specials(options.Special) {
					name := o.canonical()
					if !o.sensible() || seen[name] {
						continue
					}
					seen[name] = true
					def, err := o.definition(options)
					if err != nil {
						return nil, fmt.Errorf("shape %s: %w", name, err)
					}
					shapes = append(shapes, Shape{Name: name, Definition: def})
				}
			}
		}
	}
	return shapes, nil
}

// orders returns all partial orders of n steps, each listed so that steps come after earlier ones only.
func orders(n int) [][]uint8 {
	found := [][]uint8{{}}
	for i := range n {
		var longer [][]uint8
		for _, after := range found {
			for set := range uint8(1) << i {
				longer = append(longer, append(slices.Clone(after), set))
			}
		}
		found = longer
	}
	return slices.DeleteFunc(found, func(after []uint8) bool { return !reduced(after) })
}

// reduced reports whether no step names a predecessor that follows from another one.
func reduced(after []uint8) bool {
	all := ancestors(after)
	for i := range after {
		for j := range i {
			if after[i]&(1<<j) != 0 && after[i]&all[j] != 0 {
				return false
			}
		}
	}
	return true
}

// ancestors returns, for each step, the set of steps before it, directly or not.
func ancestors(after []uint8) []uint8 {
	all := slices.Clone(after)
	for i := range all {
		for j := range i {
			if after[i]&(1<<j) != 0 {
				all[i] |= all[j]
			}
		}
	}
	return all
}

// kindsOf returns the assignments of kinds: all compensatable, all retriable, and a pivot wherever no step is parallel
// to it.
func kindsOf(after []uint8) [][]saga.Kind {
	n := len(after)
	all := ancestors(after)
	choices := [][]saga.Kind{slices.Repeat([]saga.Kind{saga.Compensatable}, n), slices.Repeat([]saga.Kind{saga.Retriable}, n)}
	for pivot := range n {
		kinds := slices.Repeat([]saga.Kind{saga.Retriable}, n)
		kinds[pivot] = saga.Pivot
		beside := false
		for i := range n {
			if all[pivot]&(1<<i) != 0 {
				kinds[i] = saga.Compensatable
			} else if i != pivot && all[i]&(1<<pivot) == 0 {
				beside = true
			}
		}
		if !beside {
			choices = append(choices, kinds)
		}
	}
	return choices
}

// sensible reports whether only compensatable steps have a compensation. That of a child saga is built in.
func (o outline) sensible() bool {
	for i, kind := range o.kinds {
		if o.compensation&(1<<i) != 0 && o.kind == child && i == o.special {
			return false
		}
		if o.compensation&(1<<i) != 0 && kind != saga.Compensatable {
			return false
		}
	}
	return true
}

// canonical returns a name that two shapes share if they differ only in the order of their steps.
func (o outline) canonical() string {
	least := ""
	for _, order := range permutations(len(o.after)) {
		if name, fits := o.reordered(order); fits && (least == "" || name < least) {
			least = name
		}
	}
	return least
}

// reordered names the shape with its steps in another order; fits is false if a step would come before its predecessor.
// A step is c, p or r, with a ' if it has a compensation, then the places of its predecessors.
func (o outline) reordered(order []int) (name string, fits bool) {
	place := make([]int, len(order))
	for at, i := range order {
		place[i] = at
	}
	var text strings.Builder
	for at, i := range order {
		text.WriteByte(o.kinds[i][0])
		if o.compensation&(1<<i) != 0 {
			text.WriteByte('\'')
		}
		if o.kind != plain && i == o.special {
			text.WriteString("(" + o.kind.String() + ")")
		}
		var set []int
		for j := range order {
			if o.after[i]&(1<<j) != 0 {
				set = append(set, place[j])
				if place[j] > at {
					return "", false
				}
			}
		}
		slices.Sort(set)
		for _, j := range set {
			fmt.Fprintf(&text, "%d", j)
		}
		text.WriteByte(' ')
	}
	return strings.TrimSpace(text.String()), true
}

func permutations(n int) [][]int {
	if n == 0 {
		return [][]int{{}}
	}
	var all [][]int
	for _, shorter := range permutations(n - 1) {
		for at := range n {
			all = append(all, slices.Insert(slices.Clone(shorter), at, n-1))
		}
	}
	return all
}

// definition returns the definition. Its steps are called a, b, c and d.
func (o outline) definition(options Options) (*saga.Definition, error) {
	builder := saga.New("check")
	if options.Deadline {
		builder.Deadline(time.Hour)
	}
	if options.Park {
		builder.OnFailure(saga.Park)
	}
	retry, compensations := saga.Retry(saga.Attempts(options.Attempts)), saga.CompensationRetry(saga.Attempts(options.Compensations))
	for i, kind := range o.kinds {
		var place []saga.StepOption
		var after []string
		for j := range i {
			if o.after[i]&(1<<j) != 0 {
				after = append(after, stepName(j))
			}
		}
		if len(after) == 0 {
			place = append(place, saga.AtOnce())
		} else {
			place = append(place, saga.After(after...))
		}
		if o.compensation&(1<<i) != 0 {
			place = append(place, saga.CompensatedBy("q.un"+stepName(i)), compensations)
		}
		if o.kind != plain && i == o.special {
			o.addSpecial(builder, i, place)
			continue
		}
		add := map[saga.Kind]func(string, string, ...saga.StepOption) *saga.Builder{
			saga.Compensatable: builder.Step, saga.Pivot: builder.Pivot, saga.Retriable: builder.Retriable,
		}[kind]
		add(stepName(i), "q."+stepName(i), append(place, retry)...)
	}
	return builder.Build()
}

func stepName(i int) string { return string(rune('a' + i)) }
