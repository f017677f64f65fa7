// Package servers brings up private Postgres and RabbitMQ servers, in a directory of their own and on free ports of the
// loopback interface, and takes them down again. It guarantees that nothing is left when the program ends, however it
// ends: a small shell, the guard, outlives it by a moment.
//
// A server's directory has the files pid, log and, for RabbitMQ, env (the settings that rabbitmqctl needs). A server
// that dies is started again, as soon as no file named hold is there.
package servers
