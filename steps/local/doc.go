// Package local is a broker inside the process, for the embedded mode and for tests. Its messages, bytes and headers
// are those of RabbitMQ.
//
// It gives the same guarantees:
//
//   - A command for an undeclared queue is returned.
//   - An unsettled message is delivered again, marked as redelivered.
//   - A message that a worker rejects, or that was delivered too often, becomes a dead letter.
//   - Messages of higher priority come first; equal ones keep their order.
//
// Nothing survives the process: the attempts of lost commands time out and are made again.
package local
