package roofline

import (
	"runtime"
	"runtime/debug"
)

// tune applies the settings of `orchestrator serve` to this process. It uses half of the processors and leaves the others to
// Postgres and RabbitMQ, and it trades memory for less garbage collection.
func tune() {
	runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/2))
	debug.SetGCPercent(400)
}
