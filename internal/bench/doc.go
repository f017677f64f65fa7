// Package bench puts a load on an orchestrator and reports its cost. The load is the order saga, or one with more steps,
// with handlers that do nothing. The orchestrator is started for the run, on existing servers or embedded, or it is an
// existing one.
//
// A run leaves nothing behind on the user's servers, except its sagas on an existing orchestrator. Programs under load run
// in processes of their own, so that the cost of each is known. A saga that does not end as expected counts as failed.
package bench
