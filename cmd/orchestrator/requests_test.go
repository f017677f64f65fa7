package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// asked is a request as the orchestrator receives it.
type asked struct {
	line   string // method and URL
	body   string
	header http.Header
}

// pretending returns the URL of a server with a fixed answer, and the last request to it.
func pretending(t *testing.T, status int, answer string) (string, *asked) {
	t.Helper()
	last := &asked{}
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		*last = asked{line: r.Method + " " + r.URL.String(), body: string(body), header: r.Header}
		if status == http.StatusOK && r.Method == http.MethodDelete {
			w.WriteHeader(http.StatusNoContent) // as the API answers
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	t.Cleanup(served.Close)
	return served.URL, last
}

// anything is an answer of which every command finds enough.
const anything = `{"id":"1","name":"order","items":[],"cause":"done","matched":0,"sagas":{}}`

func TestArgumentsReachTheAPI(t *testing.T) {
	t.Parallel()
	url, last := pretending(t, http.StatusOK, anything)
	for _, given := range []struct {
		typed []string
		line  string
		body  string
	}{
		{
			[]string{
				"sagas", "list", "--definition", "order", "--version", "2", "--status", "stuck", "--status", "paused",
				"--business-key", "o-1", "--label", "region=eu", "--created-after", "2026-01-01T00:00:00Z",
				"--created-before", "2026-02-01T00:00:00+01:00", "--attention", "--attention-reason", "overdue",
				"--limit", "7", "--cursor", "c",
			},
			"GET /v1/sagas?attention=true&attention_reason=overdue&created_after=2026-01-01T00%3A00%3A00Z" +
				"&created_before=2026-01-31T23%3A00%3A00Z&cursor=c&definition=order&key=o-1&label=region%3Deu&limit=7" +
				"&status=stuck&status=paused&version=2", "",
		},
		{
			[]string{
				"sagas", "start", "order", "--version", "2", "--data", `{"n":1}`, "--business-key", "o-1", "--priority", "9",
				"--label", "a=b=c", "--start-at", "2026-01-01T00:00:00Z", "--deadline", "90m", "--wait", "10s",
			},
			"POST /v1/sagas?wait=10s",
			`{"definition":"order","version":2,"key":"o-1","data":{"n":1},"priority":9,"labels":{"a":"b=c"},
				"start_at":"2026-01-01T00:00:00Z","deadline":"1h30m0s"}`,
		},
		{[]string{"stuck", "--definition", "order"}, "GET /v1/sagas?attention=true&definition=order&limit=50", ""},
		{[]string{"definitions", "show", "order", "--version", "3"}, "GET /v1/definitions/order/versions/3", ""},
		{[]string{"sagas", "show", "../keys"}, "GET /v1/sagas/..%2Fkeys", ""},
		{[]string{"sagas", "retry", "ID", "--step", "a"}, "POST /v1/sagas/ID/retry", `{"step":"a"}`},
		{
			[]string{"sagas", "skip", "ID", "--step", "a", "--reason", "r", "--with-output", "-"},
			"POST /v1/sagas/ID/skip", `{"step":"a","reason":"r","output":{"from":"stdin"}}`,
		},
		{
			[]string{"sagas", "compensate", "ID", "--step", "a", "--reason", "r"},
			"POST /v1/sagas/ID/compensate", `{"step":"a","reason":"r"}`,
		},
		{[]string{"sagas", "pause", "ID"}, "POST /v1/sagas/ID/pause", `{}`},
		{[]string{"sagas", "patch-data", "ID", `{"a":null}`, "--reason", "r s"}, "PATCH /v1/sagas/ID/data?reason=r+s", `{"a":null}`},
		{[]string{"keys", "create", "--database-url=", "--role", "viewer", "--name", "n"}, "POST /v1/keys", `{"name":"n","role":"viewer"}`},
		{[]string{"keys", "revoke", "--database-url=", "ID"}, "DELETE /v1/keys/ID", ""},
	} {
		r := execute(t, `{"from":"stdin"}`, append(given.typed, "--server", url)...)
		require.Equal(t, exitDone, r.code, "%v: %s", given.typed, r.err)
		assert.Equal(t, given.line, last.line)
		if given.body != "" {
			assert.JSONEq(t, given.body, last.body, "%v", given.typed)
		}
	}
}

func TestHeadersOfARequest(t *testing.T) {
	t.Parallel()
	url, last := pretending(t, http.StatusOK, anything)
	call := func(line ...string) http.Header {
		require.Equal(t, exitDone, execute(t, "", append(line, "--server", url, "--key", "sk_1")...).code)
		return last.header
	}
	sent := call("sagas", "start", "order", "--idempotency-key", "k1")
	assert.Equal(t, "k1", sent.Get("Idempotency-Key"))
	assert.Equal(t, "Bearer sk_1", sent.Get("Authorization"))
	assert.Equal(t, `"7"`, call("sagas", "resume", "ID", "--if-revision", "7").Get("If-Match"))
	assert.Empty(t, call("sagas", "resume", "ID").Get("If-Match"))
	patch := call("sagas", "patch-data", "ID", "{}", "--reason", "r", "--if-revision", "8")
	assert.Equal(t, "application/merge-patch+json", patch.Get("Content-Type"))
	assert.Equal(t, `"8"`, patch.Get("If-Match"))
}

func TestTheEnvironmentNamesServerAndKey(t *testing.T) {
	url, last := pretending(t, http.StatusOK, `{"items":[]}`)
	t.Setenv("ORCHESTRATOR_URL", url)
	t.Setenv("ORCHESTRATOR_KEY", "sk_2")
	require.Equal(t, exitDone, execute(t, "", "queues").code)
	assert.Equal(t, "Bearer sk_2", last.header.Get("Authorization"))
}

func TestDocumentsAreReadFromFiles(t *testing.T) {
	t.Parallel()
	url, last := pretending(t, http.StatusOK, anything)
	path := filepath.Join(t.TempDir(), "data.json")
	require.NoError(t, os.WriteFile(path, []byte("{\"n\": 12345678901234567890}\n"), 0o600))
	require.Equal(t, exitDone, execute(t, "", "sagas", "start", "order", "--data", "@"+path, "--server", url).code)
	assert.Contains(t, last.body, `12345678901234567890`, "numbers keep their spelling")

	missing := execute(t, "", "sagas", "start", "order", "--data", "@"+path+".not", "--server", url)
	assert.Equal(t, exitFailed, missing.code)
	assert.Contains(t, missing.err, "--data: open ")
	broken := execute(t, "", "sagas", "start", "order", "--data", "{", "--server", url)
	assert.Equal(t, result{code: exitUsage, err: "orchestrator: --data: not valid JSON: it ends too early, at byte 1\n"}, broken)
	missing = execute(t, "", "definitions", "put", "order", path+".not", "--server", url)
	assert.Equal(t, exitFailed, missing.code)
	empty := execute(t, "", "sagas", "patch-data", "ID", "", "--reason", "r", "--server", url)
	assert.Equal(t, exitUsage, empty.code)
}
