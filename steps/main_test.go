package steps_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(childDatabase) != "" {
		os.Exit(runChild())
	}
	goleak.VerifyTestMain(m)
}
