// Package operate carries out what no single saga causes: bulk actions on sagas and dead letters, retention, checks of the
// queues' health, deliveries to webhooks, starts from SQL, the sealing of the audit log, and the rewrite of stored payloads.
// It works through the engine and the store, like any other caller.
//
// A bulk action is a row with its targets. Any replica may carry it out, one at a time: the one that holds the lease. The
// outcome of each target commits in the transaction of what was done to it, so a replica that is killed leaves nothing
// that another one would do twice.
package operate
