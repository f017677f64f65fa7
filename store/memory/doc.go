// Package memory keeps sagas in memory, with an optional file: for the embedded mode, for tests and for the simulator.
// It does what package store does; storetest holds both to it.
//
// It guarantees:
//
//   - A change is shown and confirmed only when all of it is in the file, if there is one: each write is one
//     transaction of bbolt. A process that is killed carries on where its last confirmed write left off.
//   - What it hands out and what it is given share nothing with what it keeps.
//   - Its clock is Config.Now, in UTC and whole microseconds.
//
// The embedded mode has no broker: a command that has reached its queue is lost with the process. So a command that is
// confirmed stays in the outbox, marked as delivered and seen by nobody, until its step has moved on; when the file is
// opened again, it is sent again under the same id.
//
// It may import saga, internal/record and steps/wire.
package memory
