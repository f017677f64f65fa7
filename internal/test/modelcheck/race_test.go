//go:build race

package modelcheck_test

// raceDetector limits the check: it uses one goroutine per shape, and the detector makes it ten times slower.
const raceDetector = true
