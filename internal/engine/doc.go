// Package engine is the shell around the pure core. Every event of a saga goes through a lane chosen by the saga's id. The
// lane decides the events that wait there in one transaction. Only after the commit does the engine answer callers,
// acknowledge replies and hand commands to the outbox.
//
// The engine guarantees that nothing leaves before it is stored, and that every event given to it is stored or reported
// as failed. Within a process the events of a saga are decided one after the other; between processes the lock and the
// revision of its row ensure that.
package engine
