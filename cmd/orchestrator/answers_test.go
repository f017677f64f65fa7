package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestJSONOutputIsTheAnswerUnchanged(t *testing.T) {
	t.Parallel()
	const answer = `{"items":[], "id":"1","name":"order","cause":"done","data":{"n":1e2,"html":"<&>"},"of_a_later_version":true}`
	url, _ := pretending(t, http.StatusOK, answer+"\n\n")
	for _, line := range []string{
		"definitions list", "definitions show order", "sagas start order", "sagas list", "sagas show 1", "sagas why 1",
		"sagas history 1", "sagas retry 1", "stuck", "queues", "dead-letters list", "dead-letters show 1",
		"keys list --database-url=",
	} {
		r := execute(t, "", append(strings.Fields(line), "--server", url, "--output", "json")...)
		assert.Equal(t, result{code: exitDone, out: answer + "\n"}, r, line)
	}

	const first, last = `{"revision":1,"status":"running","new":1}`, `{"revision":2,"status":"completed","new":2}`
	url, _ = pretending(t, http.StatusOK, "data: "+first+"\n\ndata: "+last+"\n\n")
	r := execute(t, "", "sagas", "watch", "1", "--server", url, "--output", "json")
	assert.Equal(t, result{code: exitDone, out: first + "\n" + last + "\n"}, r, "one saga per line")
}

// table runs a command line against a server with this answer.
func table(t *testing.T, answer, line string) result {
	t.Helper()
	url, _ := pretending(t, http.StatusOK, answer)
	r := execute(t, "", append(strings.Fields(line), "--server", url)...)
	require.Equal(t, exitDone, r.code, r.err)
	return r
}

func TestStuckSagasAreATable(t *testing.T) {
	t.Parallel()
	since := time.Now().Add(-3*time.Hour - time.Minute).UTC().Format(time.RFC3339)
	r := table(t, `{"next_cursor":"c2","items":[{"id":"S1","definition":"order","key":"o-1","status":"stuck",
		"allowed_actions":["retry","patch_data"],
		"attention":{"reason":"retries_exhausted","since":"`+since+`","step":"receipt","message":"mail is\u001b[2J away"}}]}`, "stuck")
	assert.Regexp(t, `S1\s+order\s+o-1\s+stuck\s+3h ago\s+receipt\s+retries_exhausted\s+retry, patch-data\s+mail is \[2J away`, r.out)
	assert.Contains(t, r.err, "--cursor c2")
}

func TestWhyShowsTheEvidence(t *testing.T) {
	t.Parallel()
	next := time.Now().Add(90 * time.Second).UTC().Format(time.RFC3339)
	out := table(t, `{"cause":"no_consumer","message":"a queue without a worker","step":"a","since":"2026-01-01T00:00:00Z",
		"next_automatic":{"at":"`+next+`","what":"the attempt times out"},"allowed_actions":["pause"],
		"evidence":{"step":{"name":"a","command_id":"S1/a/execute/1"},"outbox":{"state":"confirmed"},
			"queue":{"name":"stock","depth":3,"consumers":null}}}`, "sagas why S1").out
	for _, want := range []string{
		`cause\s+no_consumer`, "a queue without a worker", `next\s+the attempt times out, in \d+s`, `command\s+S1/a/execute/1 confirmed`,
		`queue\s+stock, 3 waiting, \? consumers`, `actions\s+pause`,
	} {
		assert.Regexp(t, want, out)
	}
	out = table(t, `{"cause":"retry_at","next_automatic":{"at":"2020-01-01T00:00:00Z","what":"the next attempt"},
		"evidence":{"outbox":{"state":"written"}}}`, "sagas why S1").out
	assert.Contains(t, out, "the next attempt, now")
}

func TestQueuesThatTheBrokerDoesNotKnow(t *testing.T) {
	t.Parallel()
	out := table(t, `{"items":[{"name":"stock","exists":false,"depth":0,"consumers":0,"commands_out":2},
		{"name":"mail","exists":null,"depth":null,"consumers":null}]}`, "queues").out
	assert.Regexp(t, `stock\s+NO\s+0\s+0\s+2`, out)
	assert.Regexp(t, `mail\s+\?\s+\?\s+\?\s+\?`, out)
}

func TestDeadLettersAreShownAsTextOrBytes(t *testing.T) {
	t.Parallel()
	out := table(t, `{"id":"D1","source":"reply","queue":"saga.replies","reason":"malformed","message":"no JSON",
		"size":3,"headers":{"a":1},"body":"e3t7","text":"{{{"}`, "dead-letters show D1").out
	assert.Regexp(t, `reason\s+malformed: no JSON`, out)
	assert.Regexp(t, `body\s+\{\{\{`, out)
	out = table(t, `{"id":"D2","size":2,"body":"/wA="}`, "dead-letters show D2").out
	assert.Contains(t, out, "2 bytes, not text")
	assert.Contains(t, out, "ff 00")
	out = table(t, `{"items":[{"id":"D1","source":"start","reason":"malformed","size":3}],"next_cursor":"c"}`, "dead-letters list").out
	assert.Regexp(t, `D1\s+-\s+start\s+-\s+malformed`, out)
}

func TestADefinitionOfALaterVersionIsShownAsJSON(t *testing.T) {
	t.Parallel()
	const steps = `[{"name":"a","command":"x.y","later":true}]`
	assert.Contains(t, table(t, `{"name":"order","version":2,"steps":`+steps+`}`, "definitions show order").out, steps)
	assert.Regexp(t, `order\s+2\s+\?`, table(t, `{"items":[{"name":"order","version":2,"steps":`+steps+`}]}`, "definitions list").out)
}

func TestAProblemIsOneLine(t *testing.T) {
	t.Parallel()
	url, _ := pretending(t, http.StatusConflict, `{"code":"not_applicable","detail":"The saga is\nrunning.","allowed_actions":["pause","abandon"]}`)
	r := execute(t, "", "sagas", "resume", "ID", "--server", url)
	assert.Equal(t, result{code: exitFailed, err: "orchestrator: not_applicable: The saga is running. (allowed actions: [pause abandon])\n"}, r)
	url, _ = pretending(t, http.StatusBadGateway, "<html>")
	assert.Contains(t, execute(t, "", "queues", "--server", url).err, "502")
}

func TestDurationsAreInTheirLargestUnit(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 90 * time.Second: "90s", 5 * time.Minute: "5m", 3 * time.Hour: "3h", 50 * time.Hour: "2d",
	} {
		assert.Equal(t, want, rough(d))
	}
}
