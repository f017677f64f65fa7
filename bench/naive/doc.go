// Package naive is a decent saga orchestrator that a team writes by hand in a week. It has a table of sagas and a table of
// their steps, and a worker process behind RabbitMQ. Every transition is a transaction, every message is published and
// confirmed separately, and every delivery is acknowledged separately. Each process has 32 concurrent handlers per queue.
//
// It has no outbox: a crash between a commit and its publish strands a saga. It also lacks timeouts, retries, history and an
// API. Its queues are classic queues, RabbitMQ's default.
package naive
