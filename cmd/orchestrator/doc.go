// Command orchestrator runs a saga orchestrator, and calls one from the command line.
//
// It only parses the command line and calls other packages.
package main
