// Package amqpproxy is a hostile AMQP 0-9-1 peer: a proxy before a real RabbitMQ that reads the frames which pass and
// does to them what a broker, a cluster in trouble or a proxy may do: confirm late, out of order, negatively or never,
// close a channel or a connection at any method, cancel consumers, block publishing, and send frames of its own.
//
// It imports nothing of ours.
package amqpproxy
