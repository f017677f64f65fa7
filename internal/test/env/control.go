package env

import (
	"os"
	"path/filepath"
	"testing"
)

// RabbitMQControl returns a program that is rabbitmqctl for the private RabbitMQ server of this run.
func RabbitMQControl(t testing.TB) string {
	t.Helper()
	bin, dir := require(t, "TESTENV_RABBITMQ_BIN", "a private RabbitMQ that it may change"), require(t, "TESTENV_RABBITMQ_DIR", "a private RabbitMQ that it may change")
	path := filepath.Join(t.TempDir(), "rabbitmqctl")
	script := "#!/bin/sh\nset -e\n. '" + filepath.Join(dir, "env") + "'\nexec '" + filepath.Join(bin, "rabbitmqctl") + "' \"$@\"\n"
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatalf("write rabbitmqctl: %v", err)
	}
	return path
}
