// Package sim simulates whole installations of the orchestrator: the production engine, relay, timers and outbox, several
// replicas of them, over a simulated store, broker, workers and clock, with everything going wrong that can. When the
// faults are over, an independent judge looks at what the services have seen and done: all forward effects, or all
// undone, or a person was called.
//
// A world is one thread. Every activity runs until it waits, for the store, the broker or for time to pass, and what
// goes on next is drawn from the seed. So a seed is one run, and runs the same again.
//
// It may import the engine, the relay and the store in memory, whose conformance with Postgres store/storetest proves.
package sim
