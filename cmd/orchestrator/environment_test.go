package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
)

func TestAnEmptyVariableCountsAsUnset(t *testing.T) {
	for _, name := range []string{
		"LISTEN_ADDR", "ORCHESTRATOR_AUTH", "ORCHESTRATOR_OVERDUE_AFTER", "ORCHESTRATOR_MAX_QUEUE_DEPTH", "ORCHESTRATOR_LOG_FORMAT",
		"ORCHESTRATOR_LOG_LEVEL", "ORCHESTRATOR_QUEUE_TYPE", "ORCHESTRATOR_MIGRATE", "ORCHESTRATOR_INSECURE", "AMQP_PREFIX", "ORCHESTRATOR_URL", "ORCHESTRATOR_KEY",
	} {
		t.Setenv(name, "")
	}
	c := execute(t, "", "serve", "--database-url=postgres://127.0.0.1:1/x", "--amqp-url=amqp://127.0.0.1:1/", "--listen=127.0.0.1:0")
	assert.Equal(t, exitFailed, c.code, "the settings are valid, but the database is unreachable: %s", c.err)
	c = execute(t, "", "queues", "--server=http://127.0.0.1:1")
	assert.Equal(t, exitFailed, c.code, c.err)
	t.Setenv("DATABASE_URL", " ")
	t.Setenv("AMQP_URL", "")
	for _, line := range [][]string{{"serve"}, {"migrate", "up"}, {"bench"}} {
		c = execute(t, "", line...)
		assert.Equal(t, exitUsage, c.code, "%v: %s", line, c.err)
	}
}

func TestAVariableOutOfRangeIsWrongUsage(t *testing.T) {
	for name, value := range map[string]string{
		"ORCHESTRATOR_OVERDUE_AFTER": "0", "ORCHESTRATOR_MAX_QUEUE_DEPTH": "-1", "ORCHESTRATOR_LOG_LEVEL": "loud", "ORCHESTRATOR_LOG_FORMAT": "xml",
		"ORCHESTRATOR_ALERT_DEPTH": "-1", "ORCHESTRATOR_ALERT_AGE": "0", "ORCHESTRATOR_ALERT_DEAD_LETTERS": "x", "HEALTH_INTERVAL": "1ms",
		"ORCHESTRATOR_HEALTH_INTERVAL": "2h", "ORCHESTRATOR_QUEUE_TYPE": "stream", "ORCHESTRATOR_AUTH": "some", "ORCHESTRATOR_MIGRATE": "perhaps", "AMQP_PREFIX": "amq", "LISTEN_ADDR": "8080",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			c := execute(t, "", "serve", "--database-url=postgres://127.0.0.1:1/x", "--amqp-url=amqp://127.0.0.1:1/")
			assert.Equal(t, exitUsage, c.code, c.err)
		})
	}
}

func TestTheHelpNamesTheVariableOfEachFlag(t *testing.T) {
	help := execute(t, "", "serve", "--help").out
	for _, name := range []string{"$DATABASE_URL", "$AMQP_URL_FILE", "$ORCHESTRATOR_RETAIN_KEYS", "$ORCHESTRATOR_AUDIT"} {
		assert.Contains(t, help, name)
	}
}

// A script that names the server means it, although the environment of the machine has a database.
func TestKeysOfTheServerThatIsNamed(t *testing.T) {
	t.Setenv("DATABASE_URL", "postgres://127.0.0.1:1/none")
	c := open(t) // which gives --server
	assert.Contains(t, c.done("keys", "list"), "ROLE")
	assert.Contains(t, execute(t, "", "keys", "list").err, "connect")
}

func TestKeysReadTheURLOfTheDatabaseFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "url")
	require.NoError(t, os.WriteFile(file, []byte(env.Database(t)+"\n"), 0o600))
	t.Setenv("DATABASE_URL", "")
	t.Setenv("DATABASE_URL_FILE", file)
	assert.Contains(t, execute(t, "", "keys", "list").err, "migrate up", "it reaches the database, which has no tables yet")
}
