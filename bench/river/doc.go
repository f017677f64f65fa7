// Package river makes the sagas with River: a chain of jobs, one for every command, each of which inserts the next and
// completes itself in one transaction. It runs in one process and without a broker; what has become of a saga is what the
// jobs say. It is tuned: workers enough for two cores, no pause to speak of between two fetches, and no waiting for the
// next poll.
package river
