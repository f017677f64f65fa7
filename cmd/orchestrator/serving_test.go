package main

import (
	"bufio"
	"context"
	"io"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
)

func TestDevServesUntilItIsInterrupted(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--simulate", "--demo"} {
		t.Run(flag, func(t *testing.T) { t.Parallel(); devServes(t, flag) })
	}
	assert.Equal(t, exitUsage, execute(t, "", "dev", "--demo", "--simulate").code, "either the demo or simulated workers")
}

func devServes(t *testing.T, flag string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said, out := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		line := []string{"dev", flag, "--listen", "127.0.0.1:0", "--file", filepath.Join(t.TempDir(), "dev.db")}
		ended <- run(ctx, line, &streams{in: strings.NewReader(""), out: out, err: io.Discard})
		_ = out.Close()
	}()
	lines := bufio.NewScanner(said)
	require.True(t, lines.Scan(), "it prints its URL")
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
	assert.Equal(t, exitFailed, execute(t, "", "queues", "--server", url).code, "the server has stopped")
}

func TestAMissingSchemaIsReported(t *testing.T) {
	t.Parallel()
	url := env.Database(t)
	behind := execute(t, "", "keys", "list", "--database-url", url)
	assert.Equal(t, exitFailed, behind.code)
	assert.Contains(t, behind.err, "orchestrator migrate up")
	behind = execute(t, "", "serve", "--database-url", url, "--amqp-url", "amqp://127.0.0.1:1/", "--listen", "127.0.0.1:0")
	assert.Equal(t, exitFailed, behind.code)
	assert.Contains(t, behind.err, "run `orchestrator migrate up`, or use serve --migrate")
	assert.Equal(t, 1, strings.Count(behind.err, "migrate up"), "the hint occurs once")
	assert.Contains(t, execute(t, "", "migrate", "status", "--database-url", url).out, "no")

	require.Equal(t, exitDone, execute(t, "", "migrate", "up", "--database-url", url).code)
	assert.Equal(t, result{out: `{"items":[],"next_cursor":null}` + "\n"}, execute(t, "", "keys", "list", "--database-url", url, "--output", "json"))
	unknown := execute(t, "", "keys", "revoke", "--database-url", url, "01JD0000000000000000000000")
	assert.Equal(t, exitFailed, unknown.code)
	assert.Equal(t, exitUsage, execute(t, "", "keys", "create", "--database-url", url, "--role", "viewer", "--name", " ").code)
	assert.Equal(t, exitDone, execute(t, "", "migrate", "down", "--database-url", url).code)
	assert.Equal(t, exitFailed, execute(t, "", "keys", "list", "--database-url", "postgres://127.0.0.1:1/x").code)
}

func TestServingWithoutAuthenticationRequiresInsecure(t *testing.T) {
	t.Parallel()
	refused := execute(t, "", "serve", "--database-url=postgres://127.0.0.1:1/x", "--amqp-url=amqp://127.0.0.1:1/",
		"--auth=none", "--listen=0.0.0.0:0")
	assert.Equal(t, exitUsage, refused.code)
	assert.Contains(t, refused.err, "--insecure")
}

func TestSettingsOutsideTheirLimitsAreUsageErrors(t *testing.T) {
	t.Parallel()
	for _, line := range [][]string{
		{"serve", "--database-url=", "--amqp-url=amqp://127.0.0.1:1/"},
		{"serve", "--database-url=postgres://127.0.0.1:1/x", "--amqp-url="},
		{"migrate", "status", "--database-url="},
		{"dev", "--max-queue-depth=-1"},
	} {
		refused := execute(t, "", line...)
		assert.Equal(t, exitUsage, refused.code)
		assert.Contains(t, refused.err, "must", line)
	}
}

func TestInvalidSettingsAreUsageErrors(t *testing.T) {
	t.Parallel()
	serve := []string{"serve", "--database-url=postgres://127.0.0.1:1/x", "--amqp-url=amqp://127.0.0.1:1/"}
	bench := []string{"bench", "--embedded"}
	for _, c := range []struct {
		command []string
		flag    string // as written
		named   string // name in the message
	}{
		{serve, "--amqp-prefix=amq", "--amqp-prefix"},
		{serve, "--amqp-prefix=amq.x", "--amqp-prefix"},
		{serve, "--amqp-prefix=a b", "--amqp-prefix"},
		{serve, "--amqp-prefix=" + strings.Repeat("p", 118), "117"},
		{serve, "--amqp-prefix=", "--amqp-prefix"},
		{serve, "--amqp-prefix=\xff", "--amqp-prefix"},
		{serve, "--amqp-url=http://x", "--amqp-url"},
		{serve, "--amqp-url=amqp://h:99999/", "--amqp-url"},
		{serve, "--queue-type=stream", "--queue-type"},
		{serve, "--auth=some", "--auth"},
		{serve, "--auth=", "--auth"},
		{serve, "--listen=8080", "--listen"},
		{serve, "--listen=127.0.0.1:65536", "--listen"},
		{serve, "--listen=", "--listen"},
		{serve, "--listen=127.0.0.1:-1", "--listen"},
		{serve, "--listen=127.0.0.1:http", "--listen"},
		{[]string{"dev"}, "--listen=127.0.0.1", "--listen: want host:port"},
		{serve, "--base-path=nopath", `--base-path "nopath": want a path`},
		{serve, "--session-key=short", "--session-key: must have at least 32 bytes"},
		{serve, "--database-url=http://x", "--database-url is not valid"},
		{[]string{"migrate", "status"}, "--database-url=http://x", "--database-url is not valid"},
		{serve, "--tls-cert=x", "--tls-cert and --tls-key go together"},
		{serve, "--tls-client-ca=x", "--tls-client-ca needs TLS: set --tls-cert and --tls-key"},
		{serve, "--payload-keys-file=serving_test.go", "--payload-keys-file: line 1"},
		{serve, "--repliers=" + strings.Repeat("q", 300) + "=u", "--repliers: the name of a queue"},
		{serve, "--oidc-issuer=x", "--oidc-issuer: want a URL"},
		{append(slices.Clone(serve), "--oidc-issuer=https://x"), "--oidc-client-id=", "--oidc-client-id"},
		{serve, "--oidc-issuer=https://x", "--oidc-client-id: is missing"},
		{append(slices.Clone(serve), "--oidc-issuer=https://x", "--oidc-client-id=y"), "--oidc-redirect-url=z", "--oidc-redirect-url: want one"},
		{append(slices.Clone(serve), "--oidc-issuer=https://x", "--oidc-client-id=y"), "--auth=keys", "--oidc-roles: want"},
		{append(slices.Clone(serve), "--oidc-issuer=https://x", "--oidc-client-id=y"), "--auth=none", "--oidc-issuer: with --auth none"},
		{serve, "--max-queue-depth=-1", "--max-queue-depth"},
		{serve, "--max-queue-depth=NaN", "--max-queue-depth"},
		{serve, "--max-queue-depth=99999999999999999999", "--max-queue-depth"},
		{serve, "--overdue-after=0", "--overdue-after"},
		{serve, "--overdue-after=1ns", "--overdue-after"},
		{serve, "--overdue-after=15", "--overdue-after"},
		{serve, "--overdue-after=300000h", "--overdue-after"},
		{serve, "--log-level=loud", "--log-level"},
		{serve, "--log-format=xml", "--log-format"},
		{serve, "--migrate=perhaps", "--migrate"},
		{[]string{"dev"}, "--file= ", "--file"},
		{[]string{"dev"}, "--nothing", "--nothing"},
		{bench, "--rate=NaN", "--rate"},
		{bench, "--rate=-1", "--rate"},
		{bench, "--rate=Inf", "--rate"},
		{bench, "--fail-rate=NaN", "--fail-rate: not"},
		{bench, "--fail-rate=2", "--fail-rate: not"},
		{bench, "--in-flight=-1", "--in-flight"},
		{bench, "--duration=0", "--duration"},
		{bench, "--warmup=-1s", "--warmup"},
		{bench, "--replicas=0", "--replicas"},
		{bench, "--concurrency=0", "--concurrency"},
		{bench, "--steps=0", "--steps: not"},
		{bench, "--payload=-1", "--payload: not"},
		{bench, "--steps=101", "--steps: not"},
		{[]string{"bench-worker", "--amqp-url=amqp://127.0.0.1:1/"}, "--concurrency=0", "--concurrency"},
		{[]string{"bench-worker"}, "--amqp-url=wrong", "--amqp-url"},
		{[]string{"sagas", "list"}, "--status=", "--status"},
		{[]string{"sagas", "list"}, "--status=stuck,,paused", "--status"},
		{[]string{"sagas", "list"}, "--business-key=", "--business-key"},
		{[]string{"sagas", "list"}, "--definition= ", "--definition"},
		{[]string{"sagas", "list"}, "--label=", "--label"},
		{[]string{"sagas", "list"}, "--version=0", "--version"},
		{[]string{"sagas", "list"}, "--created-before=", "--created-before"},
		{[]string{"sagas", "list"}, "--attention-reason=", "--attention-reason"},
		{[]string{"sagas", "list"}, "--limit=0", "--limit"},
		{[]string{"sagas", "list"}, "--cursor=", "--cursor"},
		{[]string{"sagas", "start", "order"}, "--data=", "--data"},
		{[]string{"sagas", "start", "order"}, "--idempotency-key=", "--idempotency-key"},
		{[]string{"sagas", "start", "order"}, "--version=0", "--version"},
		{[]string{"sagas", "start", "order"}, "--wait=-1s", "--wait"},
		{[]string{"sagas", "start", "order"}, "--deadline=-1s", "--deadline"},
		{[]string{"sagas", "start", "order"}, "--priority=10", "--priority"},
		{[]string{"sagas", "show"}, "", "empty"},
		{[]string{"stuck"}, "--definition=", "--definition"},
		{[]string{"stuck", "--definition=a"}, "--definition=b", "given once"},
		{[]string{"sagas", "rewind", "x", "--reason=x", "--to=a"}, "--to=b", "given once"},
		{[]string{"sagas", "pause", "--filter=key=a"}, "--canary=0", "--canary"},
		{[]string{"sagas", "pause", "--filter=key=a"}, "--stop-after=0", "--stop-after"},
		{[]string{"sagas", "pause", "--filter=key=a"}, "--rate=0", "--rate"},
		{[]string{"definitions", "show", "order"}, "--version=0", "--version"},
		{[]string{"queues"}, "--server=nowhere", "--server"},
		{[]string{"queues"}, "--server=", "--server"},
		{[]string{"queues"}, "--output=xml", "--output"},
		{[]string{"queues"}, "--server=ftp://x", "--server"},
	} {
		refused := execute(t, "", append(slices.Clone(c.command), c.flag)...)
		assert.Equal(t, exitUsage, refused.code, "%v %s", c.command, c.flag)
		assert.Contains(t, refused.err, c.named, "%v %s", c.command, c.flag)
	}
}
