// Package turn lets one contender make sagas for a few seconds, measures what it costs, and sees that the database says
// what the contender said. It runs in a process of the contender's own, and prints the same report as the orchestrator's
// own benchmark does.
package turn
