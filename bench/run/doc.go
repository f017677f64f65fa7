// Package run lets one system make sagas for a few seconds, measures what it costs, and sees that the database says
// what the system said. It runs in a process of the system's own, and prints the same report as the orchestrator's
// own benchmark does.
package run
