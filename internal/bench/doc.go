// Package bench puts a load on an orchestrator and reports what it cost. The load is the order saga, or one of more steps,
// with handlers that do nothing; the orchestrator is one that it starts for the run, on servers that are there or
// embedded, or one that is given.
//
// It guarantees that a run leaves nothing behind on servers of the user but, at an orchestrator that was given, its
// sagas; that programs under load are processes of their own, so that what each costs can be told; and that a saga which
// did not end as it should is a failed one.
//
// It may import internal/loadtest, internal/rabbit, the worker SDK, the client and the core.
package bench
