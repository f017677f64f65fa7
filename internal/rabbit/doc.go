// Package rabbit carries messages over RabbitMQ. It knows envelopes, not sagas.
//
// A Broker keeps several connections up: one to publish, one to declare, and one for each queue that the orchestrator
// consumes. RabbitMQ stops reading from connections that publish when it runs out of memory or disk. The Broker
// declares the exchanges and queues after every reconnect and whenever one turns out to be missing.
//
//   - A command is Confirmed only if the broker acknowledged it and did not return it: RabbitMQ acknowledges unroutable
//     messages too. With any other outcome it may still arrive, at any later time.
//   - No call exceeds its deadline, whatever state the network or the broker is in. A connection that does not answer is
//     severed and replaced.
//   - A message is settled on the channel that delivered it, or delivered again.
//   - Consumers continue until their context ends, through every loss of connection, channel or queue.
//
// It does not use the reconnecting of amqp091-go, which gives up after some time.
package rabbit
