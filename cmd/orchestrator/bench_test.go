package main

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestBenchNamesTheMissingFlags(t *testing.T) {
	t.Parallel()
	for rule, line := range map[string][]string{
		"--embedded":              {"bench", "--database-url=", "--amqp-url="},
		"exclude each other":      {"bench", "--embedded", "--variant=B", "--fail-rate=0.5"},
		"--duration":              {"bench", "--embedded", "--duration=0s"},
		"--rate":                  {"bench", "--embedded", "--rate=-1"},
		"want 1 to 100":           {"bench", "--embedded", "--steps=0"},
		"want 0 to 1":             {"bench", "--embedded", "--fail-rate=7"},
		"two different":           {"bench", "--embedded", "--server=http://127.0.0.1:1"},
		"must be text or json":    {"bench", "--embedded", "--output=table"},
		"postgres://user:passwor": {"bench", "--database-url=nonsense", "--amqp-url=amqp://127.0.0.1:1/"},
	} {
		refused := execute(t, "", line...)
		assert.Equal(t, exitUsage, refused.code, line)
		assert.Contains(t, refused.err, rule)
	}
}

func TestABenchOfAnUnreachableServerFails(t *testing.T) {
	t.Parallel()
	url, _ := pretending(t, 403, `{"code":"forbidden","detail":"The key may not."}`)
	r := execute(t, "", "bench", "--server", url, "--database-url=", "--amqp-url=", "--warmup=0s", "--duration=1s")
	assert.Equal(t, exitFailed, r.code)
	assert.Contains(t, r.err, "forbidden")
	assert.Empty(t, r.out)
}

func TestProgressIsABarOnATerminal(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	p := newProgress(&streams{err: &out}, time.Second, 3*time.Second)
	p.update(10, time.Second)
	assert.Empty(t, out.String(), "only a terminal has a bar")
	p.say("a line")
	assert.Equal(t, "a line\n", out.String())

	p.terminal = true
	p.update(50, 500*time.Millisecond)
	assert.Contains(t, out.String(), "warming up")
	p.update(200, 2*time.Second)
	assert.Contains(t, out.String(), "███████████████░░░░░░░░░░░░░░░ measuring   2.0 of 4 s  200 sagas  100/s")
	p.update(400, 5*time.Second)
	assert.Contains(t, out.String(), "finishing")
	out.Reset()
	p.say("said")
	p.clear()
	assert.Equal(t, "\r\x1b[Ksaid\n", out.String(), "a message clears the bar once")
}
