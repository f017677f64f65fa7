// Package scaling measures the orchestrator while one dimension grows: sagas in flight, steps, payload, table sizes, replicas
// or uptime. Each dimension is a series of points. `orchestrator bench` measures a point in several rounds, in a process of
// its own; a table and a chart show the results.
//
// Large tables are seeded: Postgres copies sagas that the orchestrator has written itself, so that every row is realistic.
// A seeded database is compared with an empty one, in turns, because a machine's speed changes from minute to minute.
//
// A slow machine is never an error: each series reports its targets and what it measured.
package scaling
