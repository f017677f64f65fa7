package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// A wrong value is answered with the flag and what it takes.
func TestAWrongValueOfAFlagIsExplained(t *testing.T) {
	t.Parallel()
	for line, wanted := range map[string]string{
		"sagas retry --filter status=stuck --reason x --rate abc":   "--rate: must be a number from 0.01 to 1000000",
		"sagas retry --filter status=stuck --reason x --rate 0.009": "--rate: must be a number from 0.01 to 1000000",
		"bench --rate abc":                       `--rate: must be a number, not "abc"`,
		"bench --steps x":                        `--steps: must be a whole number, not "x"`,
		"bench --warmup soon":                    `--warmup: must be a duration such as 30s or 15m, not "soon"`,
		"sagas retry x --if-revision new":        `--if-revision: must be a whole number, not "new"`,
		"serve --auth foo":                       `--auth: must be keys or none, not "foo"`,
		"serve --kafka-sasl foo":                 `--kafka-sasl: must be plain, scram-sha-256 or scram-sha-512, not "foo"`,
		"keys create --name x --role boss":       `--role: must be viewer, operator or admin, not "boss"`,
		"serve --migrate=maybe":                  `--migrate: must be true or false, not "maybe"`,
		"audit list --since yesterday":           `--since: must be a time such as 2026-11-23T10:00:00Z, not "yesterday"`,
		"sagas start order --data":               "--data needs a value",
		"webhooks put x --url http://a --events": "--events needs a value",
		"serve --alert-depth -1":                 "--alert-depth: must be a whole number from 0 to 2147483647",
		"dev --key-rate -1":                      "--key-rate: must be a whole number from 0 to 1000000",
		"serve --retain-completed -1h":           "--retain-completed: must be a duration from 1s to 36500d such as 720h or 30d, or 0 for no limit",
		"sagas watch -- -1 -2":                   `unexpected argument -2`,
		"sagas watch":                            "an argument is missing: <id>",
	} {
		var out, said bytes.Buffer
		code := run(context.Background(), strings.Fields(line), &streams{in: strings.NewReader(""), out: &out, err: &said})
		assert.Equal(t, exitUsage, code, line)
		assert.Equal(t, "orchestrator: "+wanted+"\nSee `orchestrator --help`.\n", said.String(), line)
	}
}

// A demo whose definition is another one in the state does not say that orders start.
func TestADemoThatCannotStartSaysSo(t *testing.T) {
	t.Parallel()
	for _, c := range []devCommand{{Demo: true}, {Simulate: true, Sagas: true}} {
		var out bytes.Buffer
		c.announceWorkers(&streams{out: &out}, "http://x", false)
		assert.Equal(t, "no order starts: another definition named order is in the state. Choose another --file, or --fresh\n", out.String())
		out.Reset()
		c.announceWorkers(&streams{out: &out}, "http://x", true)
		assert.Contains(t, out.String(), "starts every second")
	}
}
