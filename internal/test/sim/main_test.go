package sim_test

import (
	"os"
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"
)

// TestMain trades memory for time: each simulation is dropped as a whole.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	goleak.VerifyTestMain(m, goleak.Cleanup(os.Exit))
}
