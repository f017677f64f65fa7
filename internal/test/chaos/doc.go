// Package chaos is the suite that breaks things: orchestrator and worker processes under load, on private Postgres and
// RabbitMQ servers, with one fault after the other. What the services say they did, the histories and the answers are
// held to the rules of package judge, and the times of recovery are measured.
//
// `go test ./internal/test/chaos` runs a short mix; `make chaos` runs every scenario of the table in scenarios_test.go and
// prints what it measured. The seed of a run is in its output; -chaos.seed repeats it.
//
// The code here is what the suite and its worker program share; everything else is tests.
package chaos
