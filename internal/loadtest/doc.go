// Package loadtest drives a load and says what it cost: how many sagas ended in a second and how long they took, what CPU
// each process spent on one, and what Postgres wrote. It knows neither the orchestrator nor any other system: what a saga
// is, its caller says by a function.
//
// It guarantees that latencies leave nothing out: every saga counts that was under way in the measured window, also where
// it ends after it, and an open loop counts from the moment at which a saga should have begun. Costs are those of the same
// window. A figure that cannot be had is absent, never zero.
//
// It may import nothing of ours.
package loadtest
