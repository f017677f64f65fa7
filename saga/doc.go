// Package saga is the pure core: what a saga is, and what follows when something happens to it.
//
// A Definition is the plan, made by New or ParseDefinition. Start makes an Instance of it, and Transition decides what
// one Event leads to: the next instance, the commands to send, the lines of history. There is no I/O, no clock and no
// chance in here: time is a field of the event, ids are derived, and jitter is a hash. So the same input always gives
// the same decision, a batch can be decided again after a failed commit, and every order of events of a small saga can
// be walked in a test.
//
// A timer is no effect but a field, WakeAt. An event that comes late, twice or for nothing is a decision that says so;
// an error means a defect. Check holds an instance against everything that is true of all of them.
//
// The package guarantees the rules of how a saga moves, whatever the order of events. It imports the standard library
// only. The shape, input as messages and output as one struct, is that of etcd's raft package.
package saga
