// Package engine is the shell around the pure core. Everything that can happen to a saga reaches it as an event, goes
// through a lane chosen by the saga's id, and is decided together with what else waits there, in one transaction.
// Only after that has committed does the engine answer callers, let replies be acknowledged, and hand commands on.
//
// It guarantees that events of one saga are decided one after the other within a process (the row's lock and revision see
// to it between processes), that nothing leaves before it is stored, and that an event given to it is either stored or
// reported as failed.
//
// It declares the small interfaces that it needs (ports.go) and may import saga and steps/wire.
package engine
