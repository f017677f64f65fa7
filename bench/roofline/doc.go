// Package roofline is what the machine could do: the rows and the messages of a saga, batched as far as they can be, and
// no logic whatsoever.
//
// A saga whose steps succeed is 8 rows — one insert and three updates of a row of its own, four inserts of a history — and
// 6 messages, three commands and three replies, between two processes. One that compensates is 12 rows and 10 messages.
// All of it is as durable as the real thing: synchronous_commit is on, messages are persistent, queues are quorum queues,
// every message is confirmed before what it answers is acknowledged, and a command leaves after the commit that decided
// on it.
//
// A batch is what is waiting, without a timer: while one commits, the next gathers; while the confirms of one are
// outstanding, the next commits. One message acknowledges a batch, and one acknowledgement of the broker mostly confirms
// several messages. The messages of a batch leave in one write. There is one queue for all commands, so that batches are
// large.
package roofline
