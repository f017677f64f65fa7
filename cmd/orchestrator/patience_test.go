package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// restarting serves what the handlers answer in turn. A nil one breaks the connection, and the last one repeats.
func restarting(t *testing.T, next ...http.HandlerFunc) string {
	t.Helper()
	var requests atomic.Int64
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := next[min(int(requests.Add(1)), len(next))-1]
		if now == nil {
			panic(http.ErrAbortHandler)
		}
		now(w, r)
	}))
	t.Cleanup(served.Close)
	return served.URL
}

func answers(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}
}

const (
	bulkRuns = `{"id":"B1","on":"sagas","action":"retry","status":"running","matched":2,"done":1,"remaining":1}`
	bulkEnds = `{"id":"B1","on":"sagas","action":"retry","status":"completed","matched":2,"done":2}`
)

func TestABulkActionIsFollowedAcrossARestart(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"sagas retry --filter status=stuck --reason r", "dead-letters redrive --filter source=reply --reason r", "actions continue B1"} {
		url := restarting(t, answers(http.StatusAccepted, bulkRuns), nil, nil, nil, nil, answers(http.StatusBadGateway, "<html>"),
			answers(http.StatusGatewayTimeout, ""), answers(http.StatusServiceUnavailable, ""), answers(http.StatusOK, bulkRuns), answers(http.StatusOK, bulkEnds))
		r := execute(t, "", append(strings.Fields(line), "--server", url)...)
		require.Equal(t, exitDone, r.code, "%s: %s", line, r.err)
		assert.Regexp(t, `done\s+2`, r.out)
	}
}

func TestABulkActionThatIsLostIsNamed(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	url := restarting(t, answers(http.StatusBadGateway, "<html>"))
	r := &remote{Server: serverURL(url), patience: time.Millisecond}
	err := r.follow(t.Context(), &streams{out: &out, err: &out}, resource.BulkAction{ID: "B1", Status: "running"})
	require.ErrorContains(t, err, "http_502")
	require.ErrorContains(t, err, "bulk action B1")
	require.ErrorContains(t, err, "orchestrator actions show B1")
	refused := restarting(t, answers(http.StatusForbidden, `{"code":"forbidden"}`))
	r = &remote{Server: serverURL(refused)}
	err = r.follow(t.Context(), &streams{out: &out, err: &out}, resource.BulkAction{ID: "B1", Status: "running"})
	require.ErrorContains(t, err, "forbidden", "it is not asked again")
}

func TestAWatchOutlastsARestart(t *testing.T) {
	t.Parallel()
	const first, last = `{"id":"1","revision":1,"status":"running"}`, `{"id":"1","revision":2,"status":"completed"}`
	url := restarting(t, answers(http.StatusOK, "data: "+first+"\n\n"), nil, nil, answers(http.StatusServiceUnavailable, ""),
		answers(http.StatusBadGateway, "<html>"), answers(http.StatusOK, "data: "+last+"\n\n"))
	r := execute(t, "", "sagas", "watch", "1", "--server", url, "--output", "json")
	assert.Equal(t, result{code: exitDone, out: first + "\n" + last + "\n"}, r)
}

func TestAnotherServiceIsNotAnOrchestrator(t *testing.T) {
	t.Parallel()
	url := restarting(t, answers(http.StatusOK, `{"status":"ok"}`))
	for _, line := range []string{
		"audit verify", "sagas start order", "sagas watch 1", "keys create --database-url= --role viewer --name n", "webhooks delete pager",
		"keys revoke --database-url= 1", "dead-letters discard 1", "stuck --groups", "queues", "sagas retry 1",
	} {
		r := execute(t, "", append(strings.Fields(line), "--server", url)...)
		assert.Equal(t, exitFailed, r.code, line)
		assert.Contains(t, r.err, "the answer is not that of an orchestrator", line)
		assert.Empty(t, r.out, line)
	}
}

func TestDeletionsAnswerInJSON(t *testing.T) {
	t.Parallel()
	url := restarting(t, answers(http.StatusNoContent, ""))
	for line, want := range map[string]string{
		"keys revoke --database-url= K1": `{"revoked":"K1"}`, "webhooks delete pager": `{"deleted":"pager"}`, "dead-letters discard D1": `{"discarded":"D1"}`,
	} {
		r := execute(t, "", append(strings.Fields(line), "--server", url, "--output", "json")...)
		assert.Equal(t, result{code: exitDone, out: want + "\n"}, r, line)
	}
	r := execute(t, "", "keys", "revoke", "--database-url=", "K1", "--server", url)
	assert.Equal(t, result{code: exitDone, err: "revoked K1\n"}, r)
}

func TestAMalformedURLIsWrongUsage(t *testing.T) {
	t.Parallel()
	for _, line := range [][]string{
		{"serve", "--database-url=postgres://h:port/x", "--amqp-url=amqp://127.0.0.1:1/"},
		{"serve", "--database-url=postgres://127.0.0.1:1/x", "--amqp-url=nonsense"},
		{"serve", "--database-url=nonsense", "--amqp-url=amqp://127.0.0.1:1/"},
		{"migrate", "up", "--database-url=postgres://h:port/x"},
		{"keys", "list", "--database-url=postgres://h:port/x"},
	} {
		r := execute(t, "", line...)
		assert.Equal(t, exitUsage, r.code, "%v: %s", line, r.err)
		assert.Contains(t, r.err, "-url")
	}
}
