// Package dbos makes the sagas with DBOS Transact: a workflow with a step for every command, in one process and without a
// broker. A saga that compensated is a workflow that ended in an error, as one would write it there. The pool of
// connections is DBOS's own, with its default of 20.
package dbos
