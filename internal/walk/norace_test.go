//go:build !race

package walk_test

const raceDetector = false
