package modelcheck

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// Shape is a definition to be walked: who comes after whom, where the pivot stands, what can be undone.
type Shape struct {
	Name string
	Plan *saga.Definition
}

// Options are what a family of shapes varies besides the steps.
type Options struct {
	Attempts  int  // of every step
	Undoing   int  // attempts of every compensation
	Deadline  bool // whether the saga has one
	Scheduled bool // whether it starts later
	Overdue   bool // whether nothing may happen for so long that a person should look
}

func (o Options) String() string {
	text := fmt.Sprintf("%d/%d", o.Attempts, o.Undoing)
	if o.Deadline {
		text += " deadline"
	}
	if o.Scheduled {
		text += " scheduled"
	}
	if o.Overdue {
		text += " overdue"
	}
	return text
}

// outline is a shape before it is a definition. after[i] is the set of steps that step i comes after directly.
type outline struct {
	after []uint8
	kinds []saga.Kind
	undo  uint8 // the set of steps that can be undone
}

// Shapes are all definitions of n steps that differ in more than the names of their steps: every order without circles,
// every place of a pivot, only retriable steps, and every choice of steps that can be undone.
func Shapes(n int, options Options) ([]Shape, error) {
	var shapes []Shape
	seen := make(map[string]bool)
	for _, after := range orders(n) {
		for _, kinds := range kindsOf(after) {
			for undo := range uint8(1) << n {
				o := outline{after: after, kinds: kinds, undo: undo}
				if name := o.canonical(); o.sensible() && !seen[name] {
					seen[name] = true
					plan, err := o.plan(options)
					if err != nil {
						return nil, fmt.Errorf("shape %s: %w", name, err)
					}
					shapes = append(shapes, Shape{Name: name, Plan: plan})
				}
			}
		}
	}
	return shapes, nil
}

// orders are all partial orders of n steps, each listed in a way in which steps come after earlier ones only.
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

// reduced says whether no step names one that it comes after anyway.
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

// ancestors are, for each step, the steps that it comes after, directly or not.
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

// kindsOf are the ways to give out kinds: none special, all retriable, and a pivot wherever nothing stands beside it.
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

// sensible says whether only compensatable steps can be undone.
func (o outline) sensible() bool {
	for i, kind := range o.kinds {
		if o.undo&(1<<i) != 0 && kind != saga.Compensatable {
			return false
		}
	}
	return true
}

// canonical is a name that two shapes share if they differ in the order of their steps alone.
func (o outline) canonical() string {
	least := ""
	for _, order := range permutations(len(o.after)) {
		if name, fits := o.reordered(order); fits && (least == "" || name < least) {
			least = name
		}
	}
	return least
}

// reordered writes the shape with its steps in another order; it does not fit when a step would precede one that it
// comes after. A step is c, p or r with a ' when it can be undone, then the places of those it comes after.
func (o outline) reordered(order []int) (name string, fits bool) {
	place := make([]int, len(order))
	for at, i := range order {
		place[i] = at
	}
	var text strings.Builder
	for at, i := range order {
		text.WriteByte(o.kinds[i][0])
		if o.undo&(1<<i) != 0 {
			text.WriteByte('\'')
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

// plan makes the definition. Steps are called a, b, c, d.
func (o outline) plan(options Options) (*saga.Definition, error) {
	builder := saga.New("walk")
	if options.Deadline {
		builder.Deadline(time.Hour)
	}
	retry, undoing := saga.Retry(saga.Attempts(options.Attempts)), saga.CompensationRetry(saga.Attempts(options.Undoing))
	for i, kind := range o.kinds {
		place := []saga.StepOption{retry}
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
		if o.undo&(1<<i) != 0 {
			place = append(place, saga.CompensatedBy("q.un"+stepName(i)), undoing)
		}
		add := map[saga.Kind]func(string, string, ...saga.StepOption) *saga.Builder{
			saga.Compensatable: builder.Step, saga.Pivot: builder.Pivot, saga.Retriable: builder.Retriable,
		}[kind]
		add(stepName(i), "q."+stepName(i), place...)
	}
	return builder.Build()
}

func stepName(i int) string { return string(rune('a' + i)) }
