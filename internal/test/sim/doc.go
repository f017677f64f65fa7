// Package sim simulates whole installations of the orchestrator: several replicas of the production engine and relay over
// a simulated store, broker, workers and clock, while every kind of fault happens. After the faults an independent checker
// examines what the services saw and did: all effects took place, or all are compensated, or an operator was called.
//
// A simulation runs in one goroutine at a time. Every task runs until it waits for the store, the broker or time, and the
// seed decides which task continues. So equal seeds give equal runs.
//
// store/storetest shows that the store in memory behaves like Postgres.
package sim
