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

const sagasPerRun = 200

var (
	seedFlag  = flag.Uint64("sim.seed", 0, "simulate this seed only")
	sagasFlag = flag.Int("sim.sagas", 0, "number of sagas to simulate; 0: as many as this build handles in a minute or two")
)

func TestSimulation(t *testing.T) {
	t.Parallel()
	if *seedFlag != 0 {
		report := sim.Run(*seedFlag, sagasPerRun)
		t.Log(report.String())
		explain(t, *seedFlag, &report)
		return
	}
	first := uint64(1)
	sagas := *sagasFlag
	if sagas == 0 {
		sagas = defaultSagas
	} else {
		first = rand.Uint64()>>1 + 1
	}
	t.Logf("seeds from %d", first)
	total := simulate(t, first, sagas)
	t.Log(total.String())
	require.Empty(t, total.Missing(), "a fault that did not happen was not tested")
	require.Greater(t, total.Rewinds, total.Sagas/100, "rewinds were hardly tested")
	for what, times := range map[string]int{"children": total.Children, "waits": total.Waits, "signals": total.Signals, "conditions": total.Skips} {
		require.Greater(t, times, total.Sagas/100, "%s were hardly tested", what)
	}
}

// simulate runs simulations until they had that many sagas, one per processor at a time.
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
				report := sim.Run(seed, sagasPerRun)
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

// explain fails the test for every violation, with the trace of the first saga and the command that repeats it.
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
	for _, line := range sim.TraceSaga(seed, sagasPerRun, report.Violations[0].Saga) {
		t.Log(line)
	}
	t.Logf("repeat: go test ./internal/test/sim -run Simulation -sim.seed=%d", seed)
}

func TestEqualSeedsGiveEqualRuns(t *testing.T) {
	t.Parallel()
	first, again, other := sim.Run(42, sagasPerRun), sim.Run(42, sagasPerRun), sim.Run(43, sagasPerRun)
	require.Equal(t, first, again)
	require.NotEqual(t, first.Digest, other.Digest)
}
