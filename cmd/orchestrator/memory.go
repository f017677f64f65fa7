package main

import (
	"os"
	"runtime/debug"
)

const (
	// collectAt is how much the heap may grow, in percent of what is in use, until it is collected. An orchestrator keeps
	// little and allocates much: at Go's own 100 collecting takes a fifth of its time.
	collectAt = 400
	// softLimit is where memory counts more than time, in bytes.
	softLimit = 192 << 20
)

// tuneMemory lets a server use some memory to save time. GOGC and GOMEMLIMIT, where they are set, stand.
func tuneMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softLimit)
	}
}
