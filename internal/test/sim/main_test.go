package sim_test

import (
	"os"
	"runtime/debug"
	"testing"

	"go.uber.org/goleak"
)

// TestMain lets the simulation spend memory rather than time: a world is thrown away as a whole.
func TestMain(m *testing.M) {
	debug.SetGCPercent(800)
	goleak.VerifyTestMain(m, goleak.Cleanup(os.Exit))
}
