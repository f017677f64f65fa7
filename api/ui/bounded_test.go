package ui_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/server"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

const (
	hostile = `<script>document.title="owned"</script>'"&` + "\u202e שלום "
	whole   = 150_000 // bytes that a view has at most
)

// Lists, definitions, dry runs, dead letters, webhooks and the audit log stay small, and show the texts of others as texts.
func TestEveryViewIsBoundedWhateverItShows(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state.db")
	kept, err := memory.Open(memory.Config{File: file})
	require.NoError(t, err)
	headers, err := json.Marshal(map[string]string{"x": strings.Repeat(hostile, 2000)})
	require.NoError(t, err)
	letters := []record.DeadLetter{{Headers: headers, Body: []byte(strings.Repeat(hostile, 1<<20/len(hostile)))}}
	for i := range 60 {
		letters = append(letters, record.DeadLetter{Body: []byte("x")})
		letters[i].ID, letters[i].Source, letters[i].Reason = fmt.Sprintf("01JD%022d", i), record.SourceReply, "malformed_reply"
		letters[i].Queue, letters[i].Message = strings.Repeat("<", 200), strings.Repeat(hostile, 80)
	}
	require.NoError(t, kept.Transact(context.WithoutCancel(t.Context()), record.Batch{DeadLetters: letters[:60]},
		func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil }))
	require.NoError(t, kept.Close())
	s := serve(t, func(c *server.Config) { c.File = file })

	var steps []string
	for i := range 100 {
		steps = append(steps, fmt.Sprintf(`{"name":"s-%d-%s","queue":"work","command":"%s","compensation":"c","after":[]}`, i, strings.Repeat("x", 50), strings.Repeat("c", 120)))
	}
	description, err := json.Marshal(strings.Repeat(hostile, 30))
	require.NoError(t, err)
	for version := range 2 {
		body := fmt.Sprintf(`{"description":%s,"deadline":"%dh","steps":[%s]}`, description, version+1, strings.Join(steps, ","))
		s.api(http.MethodPut, "/v1/definitions/many", strings.ReplaceAll(body, `"after":[]`, fmt.Sprintf(`"after":[],"timeout":"%dm"`, version+1)))
	}
	for i := range 60 {
		key, err := json.Marshal(fmt.Sprintf("%d%s", i, strings.Repeat("<", 100)))
		require.NoError(t, err)
		s.api(http.MethodPost, "/v1/sagas", fmt.Sprintf(`{"definition":"many","key":%s,"data":{"a":%s},"labels":{"l":%s}}`, key, description, key))
	}
	reason := strings.Repeat(`<"&>`, 250)
	quoted, err := json.Marshal(reason)
	require.NoError(t, err)
	for range 55 {
		s.api(http.MethodPost, "/v1/sagas/actions", `{"action":"pause","filter":{"definition":"many"},"rate":1,"reason":`+string(quoted)+`}`)
	}
	bulks := s.api(http.MethodGet, "/v1/actions?limit=1", "").text
	var first struct{ Items []struct{ ID string } }
	require.NoError(t, json.Unmarshal([]byte(bulks), &first))
	s.api(http.MethodPut, "/v1/webhooks/w", `{"url":"http://127.0.0.1:9/`+strings.Repeat("%3C", 600)+`","events":["saga.stuck"]}`)

	for _, path := range []string{
		"/", "/ui/sagas", "/ui/definitions", "/ui/definitions/many", "/ui/definitions/many?version=2&compare=1", "/ui/dead-letters",
		"/ui/dead-letters/01JD" + strings.Repeat("0", 22), "/ui/bulk", "/ui/bulk/" + first.Items[0].ID, "/ui/bulk/new?definition=many&action=pause",
		"/ui/webhooks", "/ui/webhooks/w", "/ui/audit", "/ui/queues", "/ui/keys",
	} {
		checkBounded(t, path, s.get(path))
	}
	dry := url.Values{"on": {"sagas"}, "filter": {`{"definition":"many"}`}, "action": {"abandon"}, "reason": {reason}, "dry": {"1"}, "back": {"/ui/sagas"}}
	tried := s.send(http.MethodPost, "/ui/bulk/new", dry)
	assert.Contains(t, tried.text, "60 of")
	checkBounded(t, "a dry run", tried)
	dry.Set("on", "dead_letters")
	dry.Set("filter", `{"source":"reply"}`)
	dry.Set("action", "redrive")
	checkBounded(t, "a dry run of redrives", s.send(http.MethodPost, "/ui/bulk/new", dry))
}

func checkBounded(t *testing.T, name string, got page) {
	t.Helper()
	assert.Equal(t, http.StatusOK, got.StatusCode, name)
	assert.Less(t, len(got.text), whole, name)
	assert.NotContains(t, got.text, `<script>document`, "%s: markup of others", name)
}
