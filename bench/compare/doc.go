// Package compare runs all systems on the same servers, in turns, and makes a table of the results. Systems take turns
// because a machine's speed changes from minute to minute: only runs of the same round are compared, and every ratio comes
// with its spread over the rounds.
package compare
