// Package workers runs the example workers in other languages: each must pass `orchestrator worker check`, and have one effect
// for each idempotency key while its commands are delivered several times and it is killed at random.
//
// By default the worker in Python runs, with workers in Go for the other services. With -workers.all those in JavaScript and Java
// run, too; `make workers` does that with 10,000 sagas.
package workers
