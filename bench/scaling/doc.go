// Package scaling measures how the orchestrator behaves when something grows: the sagas under way, the steps of a saga, what
// a saga carries, what is in the tables, the replicas, the time that it has been running. Each of these is a series of
// points; a point is measured by `orchestrator bench` in a process of its own, in several rounds, and shown in a table and a
// picture.
//
// Sizes of tables are seeded: copies, made by Postgres, of sagas that the orchestrator has made itself, so that every row is
// one that it could have written. What is seeded is compared with an empty database beside it, in turns, since machines
// change from minute to minute.
//
// It guarantees that a slow machine is never an error: a series says what was wanted and what it found.
package scaling
