package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

const (
	// collectAt is how much the heap may grow, in percent of what is in use, until it is collected. An orchestrator keeps
	// little and allocates much: at Go's own 100 collecting takes a fifth of its time.
	collectAt = 400
	// softLimit is where memory counts more than time, in bytes.
	softLimit = 192 << 20
)

// tune makes the process one that works for many and waits most of the time. What the environment says of it stands:
// GOGC, GOMEMLIMIT and GOMAXPROCS.
//
// It runs on half of the processors, for the same reason for which the engine has a lane for every two: Postgres and
// RabbitMQ do most of the work. On more, Go wakes threads for pieces of work too small for that, and what would have been
// a batch is taken apart.
func tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softLimit)
	}
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/2))
	}
}
