//go:build !failpoints

package failpoint

// Reach marks a place at which the process may crash or stop.
func Reach(string) {}

// Error marks a place at which finished work may also be reported as failed.
func Error(string) error { return nil }
