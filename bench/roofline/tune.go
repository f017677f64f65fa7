package roofline

import (
	"runtime"
	"runtime/debug"
)

// tune does to this process what ours does to itself: it runs on half of the processors, since the other half has Postgres
// and RabbitMQ to run, and spends some memory on collecting less.
func tune() {
	runtime.GOMAXPROCS(max(1, runtime.GOMAXPROCS(0)/2))
	debug.SetGCPercent(400)
}
