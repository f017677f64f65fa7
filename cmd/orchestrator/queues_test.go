package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestQueuesAreSetByCommandLine(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.done("definitions", "put", "order", "-")
	assert.Regexp(t, `mail .* PAUSED +3 +0.5/s`, c.done("queues", "set", "mail", "--paused", "--max-out", "3", "--rate", "0.5"))
	assert.Regexp(t, `mail .* PAUSED +3 +0.5/s +healthy`, c.done("queues", "list"))
	assert.Regexp(t, `mail .* no +- +-`, c.done("queues", "set", "mail", "--resume", "--max-out", "none", "--rate", "none"))
	for _, wrong := range [][]string{
		{},
		{"--max-out", "0"},
		{"--max-out", "-1"},
		{"--max-out", "10001"},
		{"--max-out", "many"},
		{"--rate", "0"},
		{"--rate", "NaN"},
		{"--rate", "1e9"},
		{"--paused", "--resume"},
	} {
		got := c.run(append([]string{"queues", "set", "mail"}, wrong...)...)
		assert.Equal(t, 2, got.code, "%v: %s", wrong, got.err)
	}
	assert.Contains(t, c.run("queues", "set", "other", "--paused").err, "does not exist")
}
