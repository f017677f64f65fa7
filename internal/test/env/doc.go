// Package env gives a test its own part of real servers: an empty Postgres database, a prefix for the names of RabbitMQ
// queues and, for destructive tests, the means to stop and start the servers themselves.
//
// It reads DATABASE_URL and AMQP_URL and never skips: without a server the test fails and says how to get one. The
// program with-servers starts private servers and sets both variables; `make test` and `make servers` run it.
package env
