// Package steps is the orchestrator's package for services in Go. Define makes a typed saga: a definition together with the
// functions of its steps. Underneath are typed handlers for commands, a worker that takes commands from a queue and answers
// them, and a barrier that makes the effects in a service's database happen exactly once.
//
// # What a reply means
//
// The orchestrator acts on each reply:
//
//   - succeeded: the command took effect. The handler returned no error. An output that cannot be sent, such as NaN or more
//     than 256 KiB, is replaced by the reason: the step then becomes unknown with the code invalid_output.
//   - failed: nothing took effect, so the step is not compensated. The handler returned an error. An error from Fail is
//     final. After an error from Retry, any other error or a panic, the orchestrator may try again by the step's policy.
//     An error whose methods panic, a nil *Error and runtime.Goexit, as in t.FailNow, count as a panic.
//   - none: the outcome is unknown. The handler returned an error that wraps ErrUnknown, or its time ran out. The
//     orchestrator may try again, and compensates the step if its outcome stays unknown.
//
// # What a worker guarantees
//
// A worker acknowledges a command only after the broker has confirmed the reply, so the commands of a worker that dies
// are delivered again. A handler may therefore see a command more than once, even concurrently. It may also see a
// compensation whose command never arrived, or arrives later. Command.IdempotencyKey identifies the effect; HandleTx
// with a Barrier handles all of these cases for effects in the service's own Postgres.
//
// A worker drops an execute command whose deadline has passed: that attempt is over, and the next may be on its way. It
// never drops a compensation.
package steps
