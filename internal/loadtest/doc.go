// Package loadtest drives a load and reports its cost: sagas per second, their latencies, the CPU time of each process per
// saga, and what Postgres wrote. It knows nothing about the system under test: its caller passes a function that runs one
// saga.
//
// Latencies omit no saga. Every saga under way in the measured window counts, even if it ends after the window, and an open
// loop counts from the moment at which a saga should have begun. Costs cover the same window. An unavailable figure is
// absent, never zero.
package loadtest
