// Package rabbit carries messages over RabbitMQ. It knows envelopes, not sagas.
//
// A Broker keeps two connections up, for as long as it lives: one to publish and one for everything else, because
// RabbitMQ stops reading from connections that publish when it runs out of memory or disk. It declares the exchanges
// and queues after every reconnect and whenever something turns out to be missing.
//
// It guarantees:
//   - A command is Confirmed only when the broker acknowledged it and did not return it. RabbitMQ acknowledges what it
//     could not route, too. Everything else is Unconfirmed, and may arrive all the same, at any later time.
//   - No call goes on beyond its deadline, whatever state the network or the broker is in. A connection that does not
//     answer is broken off and made anew.
//   - A message is settled on the channel that delivered it or not at all: what could not be settled comes again.
//   - Consumers go on until their context ends, through every loss of connection, channel or queue.
//
// The package may import steps/wire. It does without the reconnecting of amqp091-go, which gives up after some time.
package rabbit
