package main

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
)

// requireInterruptible runs a command line that is interrupted when its server, which is at SILENT, has a connection. Commands have
// ten seconds to end.
func requireInterruptible(t *testing.T, line string) {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	address := env.Silent(t, interrupt)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		arguments := strings.Fields(strings.ReplaceAll(line, "SILENT", address))
		run(ctx, arguments, &streams{in: strings.NewReader("{}"), out: io.Discard, err: io.Discard})
	}()
	select {
	case <-ctx.Done():
	case <-ended:
		require.Error(t, ctx.Err(), "it calls the server: "+line)
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		require.Fail(t, "it does not end: "+line)
	}
}

func TestASignalEndsEveryCommandWhoseServerIsSilent(t *testing.T) {
	t.Parallel()
	const database, broker = " --database-url=postgres://u@SILENT/x?sslmode=disable", " --amqp-url=amqp://u:p@SILENT/"
	postgres := env.Database(t)
	for _, line := range []string{
		"migrate up" + database, "migrate down" + database, "migrate status" + database,
		"serve --listen=127.0.0.1:0 --amqp-url=amqp://127.0.0.1:1/" + database, "serve --migrate --listen=127.0.0.1:0 --amqp-url=amqp://127.0.0.1:1/" + database,
		"serve --migrate --listen=127.0.0.1:0 --database-url=" + postgres + broker,
		"keys list" + database, "keys create --role=viewer --name=n" + database, "keys rotate k" + database, "keys revoke k" + database,
		"doctor --amqp-url=amqp://127.0.0.1:1/" + database, "doctor --database-url=postgres://u@127.0.0.1:1/x" + broker,
		"worker check --queue=q --command=c" + broker, "bench-worker" + broker,
		"bench --amqp-url=amqp://127.0.0.1:1/" + database, "bench --server=http://SILENT",
	} {
		t.Run(line, func(t *testing.T) { t.Parallel(); requireInterruptible(t, line) })
	}
	for _, line := range []string{
		"definitions list", "definitions show d", "definitions put d -", "sagas list", "sagas start d", "sagas show s", "sagas why s", "sagas history s",
		"sagas watch s", "sagas pause s --reason=r", "sagas signal s go", "sagas retry s", "sagas retry --filter=status=stuck --reason=r", "stuck", "stuck --groups", "queues", "actions list",
		"actions show a", "dead-letters list", "dead-letters discard d", "webhooks list", "webhooks delete w",
		"audit list", "audit verify", "keys list --database-url=",
	} {
		t.Run(line, func(t *testing.T) { t.Parallel(); requireInterruptible(t, line+" --server=http://SILENT") })
	}
}

func TestASignalEndsACommandThatWaitsForStandardInput(t *testing.T) {
	t.Parallel()
	terminal, typing := io.Pipe()
	defer typing.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	reading := input{ctx, terminal}
	go func() { _, _ = typing.Write([]byte("{")); interrupt() }()
	content, err := file("-", reading)
	require.ErrorIs(t, err, context.Canceled)
	assert.Empty(t, content[min(1, len(content)):], "what was typed before")
}
