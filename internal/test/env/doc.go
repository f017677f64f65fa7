// Package env gives a test its own corner of real servers: an empty Postgres database, a prefix for the names of
// RabbitMQ queues and, for tests that break things on purpose, the means to stop and start the servers themselves.
//
// It reads DATABASE_URL and AMQP_URL and never skips: a test that asks for a server that is not there fails and says
// how to get one. The program in with-servers starts private servers and sets both variables; `make test` and
// `make servers` run it.
package env
