package env

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"
)

// patience bounds every single call to a server, so that a dead server fails a test instead of hanging it.
const patience = 30 * time.Second

// require returns the value of an environment variable that `make test` sets.
func require(t testing.TB, variable, what string) string {
	t.Helper()
	value := os.Getenv(variable)
	if value == "" {
		t.Fatalf("%s is not set, and this test needs %s: run `make test`, or run `make servers` in another terminal "+
			"and export the lines that it prints", variable, what)
	}
	return value
}

// unique returns a short name part that no other test has, in this process or in any other.
func unique() string {
	return strings.ToLower(rand.Text()[:10])
}
