package sim_test

import (
	"flag"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/sim"
)

const perWorld = 200

var (
	seedFlag  = flag.Uint64("sim.seed", 0, "simulate the world of this seed alone")
	sagasFlag = flag.Int("sim.sagas", 0, "how many sagas to simulate; 0: as many as this build does in a minute or two")
)

func TestSimulation(t *testing.T) {
	t.Parallel()
	if *seedFlag != 0 {
		report := sim.Run(*seedFlag, perWorld)
		t.Log(report.String())
		explain(t, *seedFlag, &report)
		return
	}
	first := uint64(1)
	sagas := *sagasFlag
	if sagas == 0 {
		sagas = usually
	} else {
		first = rand.Uint64()>>1 + 1
	}
	t.Logf("seeds from %d", first)
	total := simulate(t, first, sagas)
	t.Log(total.String())
	require.Empty(t, total.Missing(), "faults that did not happen were not survived")
}

// simulate lets worlds live until there have been that many sagas, as many at a time as there are processors.
func simulate(t *testing.T, first uint64, sagas int) sim.Report {
	t.Helper()
	var total sim.Report
	var mu sync.Mutex
	var running sync.WaitGroup
	next := first
	take := func() (seed uint64, enough bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, total.Sagas >= sagas || t.Failed()
	}
	for range runtime.GOMAXPROCS(0) {
		running.Go(func() {
			for seed, enough := take(); !enough; seed, enough = take() {
				report := sim.Run(seed, perWorld)
				mu.Lock()
				total.Add(report)
				explain(t, seed, &report)
				mu.Unlock()
			}
		})
	}
	running.Wait()
	return total
}

// explain fails the test for every violation, with the story of the first one's saga and how to see it again.
func explain(t *testing.T, seed uint64, report *sim.Report) {
	t.Helper()
	for i, violation := range report.Violations {
		if i == 5 {
			t.Logf("and %d more", len(report.Violations)-i)
			break
		}
		t.Errorf("seed %d, saga %s: %s: %s", seed, violation.Saga, violation.Rule, violation.What)
	}
	if len(report.Violations) == 0 {
		return
	}
	for _, line := range sim.Tell(seed, perWorld, report.Violations[0].Saga) {
		t.Log(line)
	}
	t.Logf("again: go test ./internal/test/sim -run Simulation -sim.seed=%d", seed)
}

func TestASeedIsOneRun(t *testing.T) {
	t.Parallel()
	first, again, other := sim.Run(42, perWorld), sim.Run(42, perWorld), sim.Run(43, perWorld)
	require.Equal(t, first, again)
	require.NotEqual(t, first.Digest, other.Digest)
}
