// Package naive is the saga orchestrator that a team writes by hand in a week, and would not be ashamed of: a table of
// sagas and one of their steps, a worker process behind RabbitMQ, one transaction for every transition, one publish and
// one awaited confirm for every message, one acknowledgement for every delivery. It runs on a pool of connections and with
// 32 handlers at once in either process.
//
// It has no outbox: a crash between a commit and the publish after it strands a saga. It has no timeouts, no retries, no
// history and no API either. Its queues are classic ones, as they are where nobody says otherwise.
package naive
