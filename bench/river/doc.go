// Package river runs the sagas with River: a chain of jobs, one per command. Each job inserts the next one and completes
// itself in one transaction. It runs in one process and without a broker; the jobs are the only state of a saga. It is tuned
// for throughput.
package river
