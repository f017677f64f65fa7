package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
)

const orderSaga = `{"steps":[
	{"name":"reserve","queue":"stock","command":"stock.reserve","compensation":"stock.release"},
	{"name":"confirm","queue":"orders","command":"orders.confirm","kind":"pivot"},
	{"name":"receipt","queue":"mail","command":"mail.receipt","kind":"retriable"}]}`

// terminal runs commands against an orchestrator in this process.
type terminal struct {
	t   *testing.T
	url string
}

// result is the outcome of a command.
type result struct {
	code     int
	out, err string
}

func open(t *testing.T) terminal {
	t.Helper()
	running, err := server.Open(t.Context(), server.Config{Listen: "127.0.0.1:0", Auth: "none", SimulateWorkers: true})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { assert.NoError(t, running.Run(ctx)) })
	t.Cleanup(func() { stop(); parts.Wait() })
	return terminal{t: t, url: running.URL()}
}

func execute(t *testing.T, stdin string, line ...string) result {
	t.Helper()
	var out, err bytes.Buffer
	code := run(t.Context(), line, &streams{in: strings.NewReader(stdin), out: &out, err: &err})
	return result{code: code, out: out.String(), err: err.String()}
}

func (c terminal) run(line ...string) result {
	c.t.Helper()
	return execute(c.t, orderSaga, append(line, "--server", c.url)...)
}

// done runs a command that must succeed, and returns its output.
func (c terminal) done(line ...string) string {
	c.t.Helper()
	r := c.run(line...)
	require.Equal(c.t, exitDone, r.code, "%v: %s", line, r.err)
	return r.out
}

// decoded runs a command with JSON output and decodes it.
func decoded[T any](c terminal, line ...string) T {
	c.t.Helper()
	var value T
	require.NoError(c.t, json.Unmarshal([]byte(c.done(append(line, "--output", "json")...)), &value))
	return value
}

func TestASagaFromStartToEnd(t *testing.T) {
	c := open(t)
	assert.Contains(t, c.done("definitions", "put", "order", "-"), "version 1")
	assert.Regexp(t, `order\s+1\s+3`, c.done("definitions", "list"))
	assert.Regexp(t, `receipt\s+retriable\s+mail`, c.done("definitions", "show", "order", "--version", "1"))
	assert.Equal(t, 1, decoded[resource.Definition](c, "definitions", "show", "order").Version)

	started := decoded[resource.Saga](c, "sagas", "start", "order", "--data", `{"orderId":"42"}`, "--idempotency-key", "k1",
		"--business-key", "o-42", "--label", "region=eu", "--label", "note=a;b", "--priority", "3", "--deadline", "24h", "--wait", "20s")
	assert.Equal(t, saga.Completed, started.Status)
	assert.Equal(t, map[string]string{"region": "eu", "note": "a;b"}, started.Labels)
	assert.Contains(t, c.done("sagas", "show", started.ID), "completed")
	assert.Contains(t, c.done("sagas", "why", started.ID), "done")
	assert.Contains(t, c.done("sagas", "watch", started.ID), "receipt=succeeded")
	assert.Contains(t, c.done("sagas", "history", started.ID), "saga.completed")
	assert.Contains(t, c.done("sagas", "list", "--status", "completed", "--label", "region=eu", "--business-key", "o-42"), started.ID)
	assert.NotContains(t, c.done("sagas", "list", "--status", "stuck", "--status", "paused"), started.ID)
	assert.Regexp(t, `mail\s+yes\s+0\s+1`, c.done("queues"))
}

func TestAStuckSagaIsRepaired(t *testing.T) {
	c := open(t)
	c.done("definitions", "put", "order", "-")
	assert.Contains(t, c.done("stuck"), "no saga needs an operator")
	id := decoded[resource.Saga](c, "sagas", "start", "order", "--data", `{"simulate":{"receipt":"broken"}}`, "--wait", "20s").ID
	assert.Regexp(t, id+`.*receipt\s+retries_exhausted\s+retry, skip, patch-data, abandon`, c.done("stuck"))
	c.done("sagas", "patch-data", id, `{"simulate":null}`, "--reason", "repaired")
	c.done("sagas", "retry", id)
	c.done("sagas", "watch", id)
	assert.Equal(t, saga.Completed, decoded[resource.Saga](c, "sagas", "show", id).Status)

	id = decoded[resource.Saga](c, "sagas", "start", "order", "--data", `{"simulate":{"receipt":"broken"}}`, "--wait", "20s").ID
	skipped := decoded[resource.Saga](c, "sagas", "skip", id, "--step", "receipt", "--reason", "by hand", "--with-output", `{"by":"hand"}`)
	assert.Contains(t, string(skipped.Data), "hand")
}

func TestASagaIsCancelledPausedAndAbandoned(t *testing.T) {
	c := open(t)
	c.done("definitions", "put", "order", "-")
	far := c.run("sagas", "start", "order", "--start-at", "2126-01-01T00:00:00Z")
	assert.Equal(t, exitFailed, far.code)
	assert.Contains(t, far.err, "/start_at")
	later := time.Now().Add(time.Hour).Format(time.RFC3339)
	status := func(line ...string) saga.Status {
		return decoded[resource.Saga](c, append([]string{"sagas"}, line...)...).Status
	}
	id := decoded[resource.Saga](c, "sagas", "start", "order", "--start-at", later).ID
	assert.Equal(t, saga.Paused, status("pause", id))
	assert.Equal(t, saga.Scheduled, status("resume", id, "--reason", "looked at"))
	moved := c.run("sagas", "compensate", id, "--reason", "cancelled", "--if-revision", "1")
	assert.Contains(t, moved.err, "revision_moved")
	assert.Equal(t, saga.Compensated, status("compensate", id, "--reason", "cancelled"))
	assert.Contains(t, c.done("sagas", "show", id), "failure     cancelled: cancelled\n", "the failure names no step")
	id = decoded[resource.Saga](c, "sagas", "start", "order", "--start-at", later).ID
	refused := c.run("sagas", "acknowledge", id, "--reason", "x")
	assert.Equal(t, exitFailed, refused.code)
	assert.Contains(t, refused.err, "allowed actions")
	assert.Equal(t, saga.Abandoned, status("abandon", id, "--reason", "by hand"))
}

func TestExitCodes(t *testing.T) {
	c := open(t)
	c.done("definitions", "put", "order", "-")
	missing := c.run("sagas", "show", "01JD0000000000000000000000")
	assert.Equal(t, exitFailed, missing.code)
	assert.Contains(t, missing.err, "saga_not_found")
	for _, line := range [][]string{
		{},
		{"nonsense"},
		{"sagas", "skip", "ID"},
		{"sagas", "start"},
		{"sagas", "start", "order", "--data", "{x"},
		{"sagas", "list", "--status", "lost"},
		{"sagas", "list", "--output", "xml"},
		{"sagas", "list", "--limit", "0"},
		{"stuck", "--limit", "501"},
		{"keys", "create", "--name", "x", "--role", "root"},
	} {
		assert.Equal(t, exitUsage, execute(t, "", line...).code, "%v", line)
	}
	away := execute(t, "", "queues", "--server", "http://127.0.0.1:1")
	assert.Equal(t, exitFailed, away.code)
	help := execute(t, "", "sagas", "--help")
	assert.Equal(t, exitDone, help.code)
	assert.Contains(t, help.out, "patch-data")
	assert.Equal(t, result{code: exitDone, out: "dev\n"}, execute(t, "", "version"))
}

func TestCheckWorksWithoutAServer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "order.json")
	require.NoError(t, os.WriteFile(path, []byte(orderSaga), 0o600))
	assert.Contains(t, execute(t, "", "definitions", "check", path).out, "is valid: 3 steps")
	faulty := execute(t, `{"steps":[{"name":"A","command":"x.y"}]}`, "definitions", "check", "-")
	assert.Equal(t, exitFailed, faulty.code)
	assert.Contains(t, faulty.err, "/steps/0/name")
}

func TestCheckCompilesConditionsAndSchemas(t *testing.T) {
	t.Parallel()
	faulty := execute(t, `{"data_schema":{"type":"nope"},"steps":[{"name":"a","command":"c","when":"data.x +"}]}`, "definitions", "check", "-")
	assert.Equal(t, exitFailed, faulty.code)
	assert.Contains(t, faulty.err, "/steps/0/when")
	assert.Contains(t, faulty.err, "/data_schema")
}

func TestTheFirstKeyIsCreatedInTheDatabase(t *testing.T) {
	t.Setenv("DATABASE_URL", env.Database(t))
	require.Equal(t, exitDone, execute(t, "", "migrate", "up").code)
	created := execute(t, "", "keys", "create", "--role", "admin", "--name", "first")
	require.Equal(t, exitDone, created.code, created.err)
	assert.Regexp(t, `^sk_[\w-]{43}\n$`, created.out)
	id := regexp.MustCompile(`[0-9A-Z]{26}`).FindString(created.err)
	require.Equal(t, exitDone, execute(t, "", "keys", "revoke", id).code)
	assert.Contains(t, execute(t, "", "keys", "list").out, "first")
}

func TestStandardOutputHasOnlyTheKey(t *testing.T) {
	t.Setenv("DATABASE_URL", "") // with a database the command does not call the API
	c := open(t)
	created := c.run("keys", "create", "--role", "operator", "--name", "ci")
	require.Equal(t, exitDone, created.code)
	assert.Regexp(t, `^sk_[\w-]{43}\n$`, created.out)
	id := regexp.MustCompile(`[0-9A-Z]{26}`).FindString(created.err)
	assert.Regexp(t, id+`\s+ci\s+operator`, c.done("keys", "list"))
	c.done("keys", "revoke", id)
	assert.NotNil(t, decoded[resource.List[resource.Key]](c, "keys", "list").Items[0].RevokedAt)
	assert.Contains(t, c.done("dead-letters", "list"), "REASON")
	assert.Contains(t, c.run("dead-letters", "show", "x").err, "dead_letter_not_found")
}

func TestTextOfWorkersCannotControlTheTerminal(t *testing.T) {
	assert.Equal(t, " [31mred ", plain("\x1b[31mred\x07"))
	assert.Equal(t, "-", plain(""))
}

func TestCheckWritesJSON(t *testing.T) {
	t.Parallel()
	sound := execute(t, orderSaga, "definitions", "check", "-", "--output", "json")
	assert.Equal(t, exitDone, sound.code, sound.err)
	assert.JSONEq(t, `{"name":"definition","valid":true,"steps":3,"queues":["stock","orders","mail"],"errors":[],"warnings":[]}`, sound.out)
	long := execute(t, `{"steps":[{"name":"a","command":"x.y","timeout":"2h"}]}`, "definitions", "check", "-")
	assert.Equal(t, exitDone, long.code)
	assert.Contains(t, long.err, "warning: /steps/0/timeout is longer than RabbitMQ's consumer timeout")
	broken := execute(t, `{"steps":[{"name":"A B","command":"x.y"}]}`, "definitions", "check", "-", "--output", "json", "--name", "order")
	assert.Equal(t, exitFailed, broken.code)
	var result struct {
		Valid  bool
		Queues []string
		Errors []struct{ Pointer, Message string }
	}
	require.NoError(t, json.Unmarshal([]byte(broken.out), &result), broken.out)
	assert.False(t, result.Valid)
	assert.NotNil(t, result.Queues)
	assert.Equal(t, "/steps/0/name", result.Errors[0].Pointer)
}
