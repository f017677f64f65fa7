// Package saga is the pure core of the orchestrator: it defines sagas and decides what follows from each event.
//
// New and ParseDefinition make a Definition. Start makes an Instance of it, and Transition returns the Decision that
// follows from one Event: the next instance, the commands to send and the lines of history. The package does no I/O and
// uses neither a clock nor randomness: events carry the time, ids are derived, and jitter is a hash. So the same input
// always gives the same decision, and a test can try every order of events.
//
// Timers are not effects: the core sets WakeAt. A late, duplicate or irrelevant event yields a Decision with Ignored or
// Refused set. An error means a defect. Check verifies the invariants of an instance.
//
// The shape, messages in and one struct out, is that of etcd's raft package. docs/rules.md has the rules.
package saga
