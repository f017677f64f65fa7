package main

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

func TestActionsOnManySagas(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.done("definitions", "put", "order", "-")
	later := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for range 3 {
		c.done("sagas", "start", "order", "--start-at", later)
	}
	filter := []string{"--filter", "definition=order,status=scheduled", "--reason", "not yet"}
	report := decoded[resource.DryRun](c, append([]string{"sagas", "pause", "--dry-run"}, filter...)...)
	assert.Equal(t, 3, report.Applicable)
	assert.Contains(t, c.done(append([]string{"sagas", "pause", "--dry-run"}, filter...)...), "take the saga from scheduled to paused")
	keyed := append([]string{"sagas", "pause", "--idempotency-key", "k1"}, filter...)
	action := decoded[resource.BulkAction](c, keyed...)
	assert.Equal(t, "completed", action.Status)
	assert.Equal(t, 3, action.Done)
	assert.Equal(t, action.ID, decoded[resource.BulkAction](c, keyed...).ID)
	assert.Contains(t, c.run("sagas", "pause", "--idempotency-key", "k1", "--filter", "status=paused", "--reason", "x").err, "idempotency_conflict")
	assert.Contains(t, c.done("actions", "list"), action.ID)
	assert.Contains(t, c.done("actions", "show", action.ID), "completed")
	assert.Equal(t, 3, strings.Count(c.done("actions", "items", action.ID, "--outcome", "done"), "done"))

	none := decoded[resource.BulkAction](c, "sagas", "resume", "--filter", "status=paused", "--filter", "definition=other", "--reason", "x")
	assert.Zero(t, none.Matched, "filters of several flags must all match")
	waiting := decoded[resource.BulkAction](c, "sagas", "resume", "--filter", "status=paused", "--reason", "now", "--canary", "1")
	assert.Equal(t, "waiting", waiting.Status)
	done := decoded[resource.BulkAction](c, "actions", "continue", waiting.ID)
	assert.Equal(t, 3, done.Done)
	stopped := c.run("sagas", "resume", "--filter", "status=scheduled", "--reason", "again", "--stop-after", "1")
	assert.Equal(t, exitFailed, stopped.code)
	assert.Contains(t, stopped.err, "is stopped: 1 refused")
	assert.Contains(t, c.done("stuck", "--groups"), "no saga needs an operator")
}

func TestAnActionOnManyIsRefusedWithoutAFilterThatCanWork(t *testing.T) {
	t.Parallel()
	c := open(t)
	for _, line := range []string{
		"sagas pause", "sagas pause 01JD0000000000000000000000 --filter status=paused", "sagas pause --filter status",
		"sagas pause --filter key=a,key=b --reason x", "sagas pause --filter status=paused", "dead-letters discard --filter source=start",
		"sagas pause 01JD0000000000000000000000 --dry-run", "dead-letters redrive none --idempotency-key k1", "sagas pause --filter version=x --reason x", "dead-letters redrive",
	} {
		assert.Equal(t, exitUsage, c.run(strings.Fields(line)...).code, line)
	}
	assert.Equal(t, 0, decoded[resource.BulkAction](c, "dead-letters", "discard", "--filter", "source=start", "--reason", "x").Matched)
	assert.Contains(t, c.run("dead-letters", "redrive", "none").err, "dead_letter_not_found")
}

func TestManySagasArePatchedAndRetried(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.done("definitions", "put", "order", "-")
	for range 2 {
		c.done("sagas", "start", "order", "--data", `{"simulate":{"receipt":"broken"}}`, "--wait", "20s")
	}
	group := "definition=order,attention_reason=retries_exhausted,step=receipt,error_code=broken"
	assert.Contains(t, c.done("stuck", "--groups"), group)
	for _, line := range [][]string{
		{"{}"}, {"a", "b", "{}", "--filter", group}, {"01JD0000000000000000000000", "{}", "--filter", group},
	} {
		line = append([]string{"sagas", "patch-data", "--reason", "mended"}, line...)
		assert.Equal(t, exitUsage, c.run(line...).code, line)
	}
	patch := []string{"sagas", "patch-data", `{"simulate":null}`, "--filter", group, "--reason", "mended"}
	assert.Equal(t, 2, decoded[resource.DryRun](c, append(patch, "--dry-run")...).Applicable)
	done := decoded[resource.BulkAction](c, patch...)
	assert.Equal(t, 2, done.Done)
	assert.JSONEq(t, `{"simulate":null}`, string(done.Patch))
	assert.Regexp(t, `patch\s+\{"simulate":null\}`, c.done("actions", "show", done.ID))
	assert.Equal(t, 2, decoded[resource.BulkAction](c, "sagas", "retry", "--filter", group, "--reason", "mended", "--rate", "100").Done)
}

func TestListsHaveEveryFilterOfTheAPI(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.done("definitions", "put", "order", "-")
	stuck := decoded[resource.Saga](c, "sagas", "start", "order", "--data", `{"simulate":{"receipt":"broken"}}`, "--wait", "20s", "--label", "region=eu").ID
	other := decoded[resource.Saga](c, "sagas", "start", "order", "--data", `{"simulate":{"receipt":"lost"}}`, "--wait", "20s", "--label", "region=us").ID
	for _, filter := range []string{
		"--error-code broken", "--step receipt --error-code broken", "--label region=eu", "--status stuck --label region=eu --version 1",
	} {
		found := c.done(append([]string{"sagas", "list"}, strings.Fields(filter)...)...)
		assert.Contains(t, found, stuck, filter)
		assert.NotContains(t, found, other, filter)
	}
	for _, filter := range []string{"--step -", "--created-before 2020-01-01T00:00:00Z", "--parent " + stuck, "--version 2"} {
		assert.Empty(t, decoded[resource.List[resource.Saga]](c, append([]string{"sagas", "list"}, strings.Fields(filter)...)...).Items, filter)
	}
	assert.Contains(t, c.run("sagas", "list", "--parent", "none").err, "parent")
	for _, filter := range []string{
		"--queue mail", "--reason malformed_reply", "--source reply", "--saga " + stuck, "--received-after 2020-01-01T00:00:00Z",
		"--received-before 2020-01-01T00:00:00Z",
	} {
		assert.Contains(t, c.done(append([]string{"dead-letters", "list"}, strings.Fields(filter)...)...), "RECEIVED", filter)
	}
	assert.Equal(t, exitUsage, c.run("dead-letters", "list", "--source", "mail").code)
}

func TestADefinitionIsDisabledAndEnabled(t *testing.T) {
	t.Parallel()
	c := open(t)
	c.done("definitions", "put", "order", "-")
	require.Contains(t, c.done("definitions", "disable", "order"), "definition order is disabled")
	assert.Contains(t, c.run("sagas", "start", "order").err, "definition_disabled")
	require.Contains(t, c.done("definitions", "enable", "order"), "definition order is enabled")
	c.done("sagas", "start", "order")
}
