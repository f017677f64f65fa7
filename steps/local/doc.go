// Package local is a broker inside the process, for the embedded mode and for tests: the same messages, bytes and
// headers as over RabbitMQ, without a server.
//
// It guarantees what the orchestrator and the workers rely on: a command for a queue that was not declared is returned;
// what was taken and not settled is delivered again, marked as redelivered; what a worker rejects, and what was
// delivered too often, becomes a dead letter; messages of higher priority go first, equal ones in their order. Nothing
// is kept when the process ends: the attempts of commands lost like that time out and are made again.
//
// It may import steps and steps/wire.
package local
