package modelcheck_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/modelcheck"
	"github.com/saga-orchestrator/orchestrator/saga"
)

var full = flag.Bool("walk.full", false, "check every shape of three and four steps; takes an hour")

// shortSample is the share of the shapes of three steps that are checked otherwise: one in so many.
const shortSample = 3

// family is a set of shapes that are checked in one mode.
type family struct {
	steps   int
	workers bool
	options modelcheck.Options
	sample  int // check one shape in so many; 0: all
}

func (f family) String() string {
	who := "strangers"
	if f.workers {
		who = "workers"
	}
	name := fmt.Sprintf("%d steps, %s, %s", f.steps, who, f.options)
	if f.sample > 0 {
		name += fmt.Sprintf(", one shape in %d", f.sample)
	}
	return name
}

// families returns the checked families. Their names show the attempts of steps and of compensations.
func families() []family {
	everything := modelcheck.Options{Attempts: 2, Compensations: 2, Deadline: true, Scheduled: true, Overdue: true, Rewinds: modelcheck.Often}
	twice, once := modelcheck.Options{Attempts: 2, Compensations: 2}, modelcheck.Options{Attempts: 1, Compensations: 1}
	parked := modelcheck.Options{Attempts: 1, Compensations: 1, Deadline: true, Park: true}
	late := modelcheck.Options{Attempts: 1, Compensations: 1, Deadline: true}
	rewinds := func(how modelcheck.Rewinds, o modelcheck.Options) modelcheck.Options { o.Rewinds = how; return o }
	some := shortSample
	if *full {
		some = 0
	}
	all := []family{
		{steps: 1, options: everything},
		{steps: 2, options: everything},
		{steps: 3, options: twice, sample: some},
		{steps: 3, options: rewinds(modelcheck.Once, once), sample: some},
		{steps: 2, options: rewinds(modelcheck.Often, parked)},
		{steps: 3, options: parked, sample: some},
		{steps: 1, workers: true, options: everything},
		{steps: 2, workers: true, options: twice},
		{steps: 2, workers: true, options: rewinds(modelcheck.Once, late)},
		{steps: 2, workers: true, options: parked},
	}
	all = append(all, specialFamilies(everything, parked, late)...)
	if raceDetector {
		all = slices.DeleteFunc(all, func(f family) bool { return f.steps > 1 })
	}
	if *full {
		all = append(all,
			family{steps: 3, options: rewinds(modelcheck.Never, everything)}, family{steps: 3, options: rewinds(modelcheck.Once, late)},
			family{steps: 3, options: rewinds(modelcheck.Once, twice)}, family{steps: 3, options: rewinds(modelcheck.Once, parked)},
			family{steps: 2, workers: true, options: rewinds(modelcheck.Once, twice)},
			family{steps: 2, workers: true, options: rewinds(modelcheck.Once, parked)}, family{steps: 4, options: once}, family{steps: 4, options: late},
			family{steps: 4, options: twice},
			family{steps: 3, workers: true, options: once}, family{steps: 3, workers: true, options: twice},
		)
	}
	return all
}

// specialFamilies returns the families in which one step waits or has a condition, and those of sagas that are children.
func specialFamilies(everything, parked, late modelcheck.Options) []family {
	with := func(how modelcheck.Rewinds, special, child bool, o modelcheck.Options) modelcheck.Options {
		o.Rewinds, o.Special, o.Child = how, special, child
		return o
	}
	never, once := modelcheck.Never, modelcheck.Once
	all := []family{
		{steps: 1, options: with(modelcheck.Often, true, false, everything)},
		{steps: 1, options: with(modelcheck.Often, true, true, late)},
		{steps: 1, options: with(modelcheck.Often, true, false, parked)},
		{steps: 2, options: with(once, true, false, late)},
		{steps: 2, options: with(never, true, false, parked)},
		{steps: 2, options: with(once, false, true, late)},
		{steps: 1, workers: true, options: with(once, true, false, everything)},
		{steps: 2, workers: true, options: with(never, true, false, late)},
	}
	if !*full {
		return append(all, family{steps: 3, options: with(never, true, false, late), sample: 10})
	}
	return append(all,
		family{steps: 3, options: with(never, true, false, late)}, family{steps: 3, options: with(never, true, false, parked)},
		family{steps: 3, options: with(once, false, true, late)}, family{steps: 2, workers: true, options: with(once, true, false, late)},
		family{steps: 3, options: with(once, true, false, late), sample: 10},
	)
}

// shapes returns the shapes of the family.
func (f family) shapes() ([]modelcheck.Shape, error) {
	all, err := modelcheck.Shapes(f.steps, f.options)
	if f.sample == 0 || err != nil {
		return all, err
	}
	var some []modelcheck.Shape
	for i := 0; i < len(all); i += f.sample {
		some = append(some, all[i])
	}
	return some, nil
}

// TestEveryOrderOfEvents checks every order of replies, duplicates, contradictions, late replies, lost commands,
// timeouts, deadlines, commands left in the outbox, pauses, cancels and repairs, for every shape.
func TestEveryOrderOfEvents(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	states, edges := 0, 0
	var failed atomic.Bool
	t.Cleanup(func() { t.Logf("altogether %d states, %d edges", states, edges) })
	for _, f := range families() {
		shapes, err := f.shapes()
		require.NoError(t, err)
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			var here modelcheck.Result
			t.Cleanup(func() {
				t.Logf("%s: %d shapes, %d states, %d edges", f, len(shapes), here.States, here.Edges)
				mu.Lock()
				defer mu.Unlock()
				states, edges = states+here.States, edges+here.Edges
			})
			for _, shape := range shapes {
				t.Run(shape.Name, func(t *testing.T) {
					t.Parallel()
					if failFast() && failed.Load() {
						t.FailNow() // go test ends only the tests that have not called Parallel
					}
					seen, err := f.search(shape.Definition)
					failed.Store(failed.Load() || err != nil)
					require.NoError(t, err)
					mu.Lock()
					defer mu.Unlock()
					here.States, here.Edges = here.States+seen.States, here.Edges+seen.Edges
				})
			}
		})
	}
}

// failFast reports whether go test has its flag -failfast.
func failFast() bool { return flag.Lookup("test.failfast").Value.String() == "true" }

func (f family) search(def *saga.Definition) (modelcheck.Result, error) {
	if f.workers {
		return modelcheck.Workers(def, f.options)
	}
	return modelcheck.Strangers(def, f.options, false)
}

// TestOutputsThatDoNotFit checks only single steps and pairs in sequence: every such reply copies a megabyte.
func TestOutputsThatDoNotFit(t *testing.T) {
	t.Parallel()
	options := modelcheck.Options{Attempts: 2, Compensations: 1}
	most := 2
	if raceDetector {
		most = 1
	}
	for steps := 1; steps <= most; steps++ {
		shapes, err := modelcheck.Shapes(steps, options)
		require.NoError(t, err)
		shapes = slices.DeleteFunc(shapes, func(s modelcheck.Shape) bool { return steps == 2 && !strings.Contains(s.Name, "0") })
		for _, shape := range shapes {
			t.Run(shape.Name, func(t *testing.T) {
				t.Parallel()
				_, err := modelcheck.Strangers(shape.Definition, options, true)
				require.NoError(t, err)
			})
		}
	}
}
