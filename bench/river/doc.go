// Package river makes the sagas with River: a chain of jobs, one for every command, each of which inserts the next and
// completes itself in one transaction. It runs in one process and without a broker; what has become of a saga is what the
// jobs say. It is tuned for throughput.
package river
