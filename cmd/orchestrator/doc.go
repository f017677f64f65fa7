// Command orchestrator runs a saga orchestrator, and calls one from the command line.
//
// It wires packages together and holds no logic of its own; nothing imports it.
package main
