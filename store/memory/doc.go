// Package memory keeps sagas in memory, with an optional file: for the embedded mode, tests and the simulator. It
// behaves as package store does; storetest checks both.
//
//   - With a file, a change is visible and confirmed only after all of it is in the file: each write is one transaction of
//     bbolt. A killed process continues from its last confirmed write.
//   - The store shares no memory with its callers.
//   - Its clock is Config.Now, in UTC and whole microseconds.
//
// The embedded mode has no broker: a command that has reached its queue is lost with the process. So a confirmed
// command stays in the outbox, marked as delivered and hidden, until its step has moved on. When the file is opened
// again, it is sent again under the same id.
package memory
