//go:build !race

package modelcheck_test

const raceDetector = false
