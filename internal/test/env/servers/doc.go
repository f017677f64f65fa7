// Package servers starts private Postgres and RabbitMQ servers, in their own directory and on free ports of the
// loopback interface, and stops them. A small shell, the guard, removes everything after the program ends, even after a
// kill.
//
// A server's directory has the files pid, log and, for RabbitMQ, env (the settings for rabbitmqctl). A server that dies
// is restarted unless a file named hold exists.
package servers
