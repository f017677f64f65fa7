// Package dbos runs the sagas with DBOS Transact: a workflow with a step per command, in one process and without a broker.
// A compensated saga is a workflow that returned an error, as is usual with DBOS. The connection pool is DBOS's own, with
// its default size of 20.
package dbos
