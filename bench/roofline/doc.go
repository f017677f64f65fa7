// Package roofline estimates the limit of the machine: it writes the rows and messages of a saga in the largest possible
// batches, without any logic.
//
// A saga whose steps succeed takes 8 rows (an insert and three updates of its own row, four inserts of history) and 6
// messages (three commands and three replies) between two processes. A compensated saga takes 12 rows and 10 messages. All
// of this is as durable as in the orchestrator: synchronous_commit is on, messages are persistent, queues are quorum queues,
// a message is acknowledged after the confirm of its answer, and a command is sent after its commit.
//
// A batch is everything that waits, without a timer: the next batch fills while one commits, and commits while the confirms
// of the previous one are outstanding. One acknowledgement covers a batch, and one write sends its messages. A single queue
// takes all commands, to make batches large.
package roofline
