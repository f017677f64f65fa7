// Package amqpproxy is a hostile AMQP 0-9-1 peer: a proxy in front of a real RabbitMQ. It reads the frames and does what a
// broker, a cluster in trouble or another proxy may do: confirm late, out of order, negatively or never, close a channel or
// a connection at any method, cancel consumers, block publishing, and send frames of its own.
package amqpproxy
