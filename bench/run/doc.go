// Package run runs sagas on one system for a few seconds, measures their cost, and checks the results against the database.
// It runs in the system's process and prints the same report as `orchestrator bench`.
package run
