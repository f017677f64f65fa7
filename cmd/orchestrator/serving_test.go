package main

import (
	"bufio"
	"context"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/testenv"
)

func TestDevServesUntilItIsToldToEnd(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said, out := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		line := []string{"dev", "--simulate", "--listen", "127.0.0.1:0", "--file", filepath.Join(t.TempDir(), "dev.db")}
		ended <- run(ctx, line, &streams{in: strings.NewReader(""), out: out, err: io.Discard})
		_ = out.Close()
	}()
	lines := bufio.NewScanner(said)
	require.True(t, lines.Scan(), "it says where it is")
	url := regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(lines.Text())
	rest := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(said) // ends with the command
		rest <- string(text)
	}()
	assert.Equal(t, exitDone, execute(t, "", "queues", "--server", url).code)
	stop()
	assert.Equal(t, exitDone, <-ended)
	<-rest
	assert.Equal(t, exitFailed, execute(t, "", "queues", "--server", url).code, "nobody listens any more")
}

func TestADatabaseWithoutTheSchemaIsNamed(t *testing.T) {
	t.Parallel()
	url := testenv.Database(t)
	behind := execute(t, "", "keys", "list", "--database-url", url)
	assert.Equal(t, exitFailed, behind.code)
	assert.Contains(t, behind.err, "orchestrator migrate up")
	behind = execute(t, "", "serve", "--database-url", url, "--amqp-url", "amqp://127.0.0.1:1/", "--listen", "127.0.0.1:0")
	assert.Equal(t, exitFailed, behind.code)
	assert.Contains(t, behind.err, "run `orchestrator migrate up`, or serve with --migrate")
	assert.Equal(t, 1, strings.Count(behind.err, "migrate up"), "it is said once")
	assert.Contains(t, execute(t, "", "migrate", "status", "--database-url", url).out, "no")

	require.Equal(t, exitDone, execute(t, "", "migrate", "up", "--database-url", url).code)
	assert.Equal(t, result{out: `{"items":[],"next_cursor":null}` + "\n"}, execute(t, "", "keys", "list", "--database-url", url, "--output", "json"))
	unknown := execute(t, "", "keys", "revoke", "--database-url", url, "01JD0000000000000000000000")
	assert.Equal(t, exitFailed, unknown.code)
	assert.Equal(t, exitUsage, execute(t, "", "keys", "create", "--database-url", url, "--role", "viewer", "--name", " ").code)
	assert.Equal(t, exitDone, execute(t, "", "migrate", "down", "--database-url", url).code)
	assert.Equal(t, exitFailed, execute(t, "", "keys", "list", "--database-url", "postgres://127.0.0.1:1/x").code)
}

func TestServingEveryoneIsWrongUsageUnlessItIsInsistedOn(t *testing.T) {
	t.Parallel()
	refused := execute(t, "", "serve", "--database-url=postgres://127.0.0.1:1/x", "--amqp-url=amqp://127.0.0.1:1/",
		"--auth=none", "--listen=0.0.0.0:0")
	assert.Equal(t, exitUsage, refused.code)
	assert.Contains(t, refused.err, "--insecure")
}

func TestSettingsOutOfRangeAreWrongUsage(t *testing.T) {
	t.Parallel()
	for _, line := range [][]string{
		{"serve", "--database-url=", "--amqp-url=amqp://127.0.0.1:1/"},
		{"serve", "--database-url=postgres://127.0.0.1:1/x", "--amqp-url="},
		{"migrate", "status", "--database-url="},
		{"dev", "--max-queue-depth=-1"},
	} {
		refused := execute(t, "", line...)
		assert.Equal(t, exitUsage, refused.code)
		assert.Contains(t, refused.err, "must not be")
	}
}
