//go:build race

package modelcheck_test

// The race detector makes the walk ten times slower and has nothing to find in it: it has one goroutine a shape.
const raceDetector = true
