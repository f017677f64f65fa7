package env

import (
	"crypto/rand"
	"os"
	"strings"
	"testing"
	"time"
)

// patience limits every call to a server, so that a dead server fails a test instead of hanging it.
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

// unique returns a unique part of a name.
func unique() string {
	return strings.ToLower(rand.Text()[:10])
}
