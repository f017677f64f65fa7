package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

const (
	// collectAt is the growth of the heap, in percent of the live heap, that starts a garbage collection. The orchestrator
	// has a small live heap and allocates much: with Go's default of 100, collection takes a fifth of its CPU time.
	collectAt = 400
	// softLimit is the heap size, in bytes, above which memory matters more than CPU time.
	softLimit = 192 << 20
)

// tune sets the parameters of the Go runtime for a server. The variables GOGC, GOMEMLIMIT and GOMAXPROCS take precedence.
//
// It uses half of the processors, because Postgres and RabbitMQ do most of the work. With more, Go wakes threads for very
// small pieces of work, and batches become smaller.
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
