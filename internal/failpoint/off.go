//go:build !failpoints

package failpoint

// Reach is a place at which the process may be made to crash or to stand still.
func Reach(string) {}

// Error is a place at which what has been done may also be reported as failed.
func Error(string) error { return nil }
