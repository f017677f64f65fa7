// Package steps is the worker side of the orchestrator, for services written in Go: handlers for commands, a worker
// that takes commands from a queue and answers them, and a barrier that makes a handler's effect in a database happen
// once, whatever is delivered how often and in which order.
//
// # What a worker says
//
// A reply is a statement about the world, and the orchestrator acts on it:
//
//   - succeeded: the command took effect. A handler says so by returning no error.
//   - failed: nothing took effect. A handler says so by returning an error; the step is then not compensated. An error
//     made by Fail is final, one made by Retry and every other error lets the orchestrator try again by the step's
//     policy, and a panic counts as such an error.
//   - nothing: whether it took effect is not known. A handler says so by returning an error that wraps ErrUnknown, or
//     by running out of time. The orchestrator counts the attempt as unknown, tries again, and compensates a step that
//     it cannot find out about.
//
// # What a worker guarantees
//
// A command is settled with the broker only after its reply was confirmed, so a worker that dies at any point is sent
// the command again. A handler therefore may see a command more than once, at the same time too, and may see a
// compensation whose command never arrived, or arrives later. Command.IdempotencyKey is what tells; HandleTx with a
// Barrier does all of it for effects in the service's own Postgres.
//
// An execute command whose deadline has passed is dropped: its attempt is over, and a new one may be on its way.
// Compensations are always done.
//
// The package may import saga, steps/wire and internal/rabbit.
package steps
