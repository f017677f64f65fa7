package modelcheck_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/modelcheck"
	"github.com/saga-orchestrator/orchestrator/saga"
)

var full = flag.Bool("walk.full", false, "walk every shape of four steps too: minutes")

// family is a set of shapes that are walked in one way.
type family struct {
	steps   int
	workers bool
	options modelcheck.Options
}

func (f family) String() string {
	who := "strangers"
	if f.workers {
		who = "workers"
	}
	return fmt.Sprintf("%d steps, %s, %s", f.steps, who, f.options)
}

// families: attempts are those of steps / of compensations.
func families() []family {
	everything := modelcheck.Options{Attempts: 2, Undoing: 2, Deadline: true, Scheduled: true, Overdue: true}
	twice, once := modelcheck.Options{Attempts: 2, Undoing: 2}, modelcheck.Options{Attempts: 1, Undoing: 1}
	late := modelcheck.Options{Attempts: 1, Undoing: 1, Deadline: true}
	all := []family{
		{steps: 1, options: everything},
		{steps: 2, options: everything},
		{steps: 3, options: once},
		{steps: 3, options: twice},
		{steps: 3, options: late},
		{steps: 1, workers: true, options: everything},
		{steps: 2, workers: true, options: twice},
		{steps: 2, workers: true, options: late},
	}
	if raceDetector {
		all = slices.DeleteFunc(all, func(f family) bool { return f.steps > 1 })
	}
	if *full {
		all = append(all,
			family{steps: 3, options: everything}, family{steps: 4, options: once}, family{steps: 4, options: late},
			family{steps: 4, options: twice},
			family{steps: 3, workers: true, options: once}, family{steps: 3, workers: true, options: twice},
		)
	}
	return all
}

// TestEveryOrderOfEvents walks every order of replies, duplicates, contradictions, late replies, lost commands, timeouts,
// deadlines, commands left in the outbox, pauses, cancels and a person's repairs, for every shape.
func TestEveryOrderOfEvents(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	states, edges := 0, 0
	t.Cleanup(func() { t.Logf("altogether %d states, %d edges", states, edges) })
	for _, f := range families() {
		shapes, err := modelcheck.Shapes(f.steps, f.options)
		require.NoError(t, err)
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			var here modelcheck.Walked
			t.Cleanup(func() {
				t.Logf("%s: %d shapes, %d states, %d edges", f, len(shapes), here.States, here.Edges)
				mu.Lock()
				defer mu.Unlock()
				states, edges = states+here.States, edges+here.Edges
			})
			for _, shape := range shapes {
				t.Run(shape.Name, func(t *testing.T) {
					t.Parallel()
					seen, err := f.walk(shape.Plan)
					require.NoError(t, err)
					mu.Lock()
					defer mu.Unlock()
					here.States, here.Edges = here.States+seen.States, here.Edges+seen.Edges
				})
			}
		})
	}
}

func (f family) walk(plan *saga.Definition) (modelcheck.Walked, error) {
	if f.workers {
		return modelcheck.Workers(plan, f.options)
	}
	return modelcheck.Strangers(plan, f.options, false)
}

// TestOutputsThatDoNotFit: a megabyte is copied with every such reply, so only single steps and their pairs in a row.
func TestOutputsThatDoNotFit(t *testing.T) {
	t.Parallel()
	options := modelcheck.Options{Attempts: 2, Undoing: 1}
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
				_, err := modelcheck.Strangers(shape.Plan, options, true)
				require.NoError(t, err)
			})
		}
	}
}
