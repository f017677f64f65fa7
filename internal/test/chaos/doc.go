// Package chaos is the suite that breaks things: orchestrator and worker processes under load, on private Postgres and
// RabbitMQ servers, with one fault after the other. Package checker compares the services' ledgers, the histories and
// the answers with the rules, and the suite measures the times of recovery.
//
// `go test ./internal/test/chaos` runs a short mix; `make chaos` runs every scenario of scenarios_test.go and prints
// its figures. The output has the seed of a run; -chaos.seed repeats it.
//
// This package has the code that the suite and its worker program share.
package chaos
