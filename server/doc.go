// Package server is one orchestrator in this process: it puts the store, the broker, the engine, the relay and the API
// together, runs them, and ends them in the right order. Programs use it to embed an orchestrator (nothing to install)
// or to serve with Postgres and RabbitMQ; cmd/orchestrator does no more.
//
// It guarantees that at the end nothing new is taken, what was begun is finished or left to others, and no goroutine
// stays behind.
//
// It may import every package of ours but the commands: store, api and internal/rabbit meet only here.
package server
