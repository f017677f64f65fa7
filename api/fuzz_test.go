package api_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// startBodies are valid and invalid bodies of a start.
func startBodies() []string {
	return []string{
		`{"definition":"order"}`, `{"definition":"order","version":1,"key":"order-42","data":{"a":[1,2.50,1e3,null]},"priority":9}`,
		`{"definition":"order","labels":{"region":"eu","a/b":""},"start_at":"2031-01-02T03:04:05.678901234+01:00","deadline":"24h"}`,
		`{"definition":"order","start_at":"0000-01-01T00:00:00+01:00"}`, `{"definition":"order","start_at":"9999-12-31T23:59:59-01:00"}`,
		`{"definition":"order","data":[]}`, `{"definition":"order","priority":10,"version":-1,"deadline":"-1s"}`, `{"Definition":"order"}`,
		`{"definition":"order","data":{"a":"\ud83d\ude00"},"labels":{"a=b":"c"}}`, `null`, `{}`, ``, `{"definition":"order"}{}`,
	}
}

// FuzzStartMessage checks that a start by message is refused with a code, or decoded to a request that can be stored, and
// that bodies with the same meaning have the same hash.
func FuzzStartMessage(f *testing.F) {
	for _, text := range startBodies() {
		f.Add("m-1", "shop", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", []byte(text))
	}
	f.Add("", "", "", []byte(`{"definition":"order"}`))
	f.Add("\xff", "\n", "00-x", []byte(`{"definition":"order"}`))
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, id, user, trace string, body []byte) {
		message := wire.Message{MessageID: id, UserID: user, Headers: map[string]any{"traceparent": trace}, Body: body}
		request, err := api.DecodeStartMessage(message, now)
		if err != nil {
			var refused *resource.Problem
			require.ErrorAs(t, err, &refused)
			require.GreaterOrEqual(t, refused.Status, http.StatusBadRequest)
			require.Less(t, refused.Status, http.StatusInternalServerError, refused.Code)
			checkDiscretion(t, refused, append(valuesIn(body), id, user, trace))
			return
		}
		require.Equal(t, id, request.IdempotencyKey)
		require.NotEmpty(t, id)
		checkRequest(t, request)
		var dense bytes.Buffer
		require.NoError(t, json.Compact(&dense, body))
		again, err := api.DecodeStart(dense.Bytes(), now)
		require.NoError(t, err)
		require.Equal(t, request.BodyHash, again.BodyHash)
	})
}

// checkRequest asserts that an accepted request keeps every limit.
func checkRequest(t *testing.T, request record.StartRequest) {
	t.Helper()
	require.NotEmpty(t, request.Definition)
	require.GreaterOrEqual(t, request.Version, 0)
	require.LessOrEqual(t, request.Priority, uint8(9))
	require.GreaterOrEqual(t, request.Deadline, time.Duration(0))
	require.LessOrEqual(t, request.Deadline, saga.MaxDuration)
	require.LessOrEqual(t, len(request.Labels), 32)
	if request.Data != nil {
		require.NoError(t, saga.CheckJSON(request.Data, saga.DefaultJSONLimits()))
		require.Equal(t, byte('{'), bytes.TrimSpace(request.Data)[0])
	}
	written, err := request.StartAt.MarshalJSON()
	require.NoError(t, err, "RFC 3339 can represent the time")
	require.NotEmpty(t, written)
}

// FuzzRequests checks that every request to every call in every state of a saga gets a success or a problem.
func FuzzRequests(f *testing.F) {
	for i, text := range startBodies() {
		f.Add(byte(0), byte(i), "", "k-1", "", []byte(text))
	}
	actions := []string{
		`{"step":"reserve","reason":"the bank is back"}`, `{"reason":"line one\nline two"}`, `{"step":"none","reason":"r"}`, `{}`, ``,
		`{"step":"receipt","output":{"a":1},"reason":"sent by hand"}`, `{"step":"receipt","output":[],"reason":"\u202e"}`, `{"Reason":"r"}`,
		`{"a":{"b":null},"orderId":{"x":"y12345"}}`, `[1]`, `{"name":"ci","role":"operator"}`, orderDefinition,
	}
	for call := range len(calls()) {
		for i, text := range actions {
			f.Add(byte(call), byte(i), "reason=because", "", `"3"`, []byte(text))
		}
	}
	f.Add(byte(0), byte(0), "wait=10s", "", "", []byte(`{"definition":"order"}`))
	f.Add(byte(1), byte(0), "wait=%ff&wait=1", "", "*", []byte(`{}`))
	s := newSurface(f)
	f.Fuzz(func(t *testing.T, call, kind byte, query, idempotencyKey, match string, body []byte) {
		chosen := calls()[int(call)%len(calls())]
		id := s.saga(t, kinds()[int(kind)%len(kinds())])
		path := strings.ReplaceAll(chosen.path, "{id}", id)
		headers := map[string]string{"Idempotency-Key": idempotencyKey, "If-Match": match, "traceparent": match}
		answer := s.send(t, chosen.method, path, query, headers, body)
		checkDiscretion(t, checkAnswer(t, answer), append(valuesIn(body), idempotencyKey, match))
		if answer.Code == http.StatusOK && strings.Contains(chosen.path, "{id}") {
			var shown resource.Saga
			require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &shown))
			require.Equal(t, id, shown.ID)
			require.True(t, bytes.HasPrefix(shown.Data, []byte("{")), "the data is still an object: %s", shown.Data)
		}
	})
}

const orderDefinition = `{"steps":[{"name":"a","command":"q.a","compensation":"q.b","timeout":"1s"},{"name":"b","command":"q.c","kind":"pivot"}]}`

type call struct{ method, path string }

// calls returns the calls with a body.
func calls() []call {
	all := []call{
		{http.MethodPost, "/v1/sagas"},
		{http.MethodPatch, "/v1/sagas/{id}/data"},
		{http.MethodPut, "/v1/definitions/fuzzed"},
		{http.MethodPost, "/v1/keys"},
	}
	for _, action := range []string{"retry", "skip", "compensate", "abandon", "acknowledge", "pause", "resume"} {
		all = append(all, call{http.MethodPost, "/v1/sagas/{id}/" + action})
	}
	return all
}

// FuzzPaths checks that every path and query gets a success or a problem.
func FuzzPaths(f *testing.F) {
	for _, path := range []string{
		"/v1/sagas/01JD0000000000000000000000", "/v1/sagas/{id}", "/v1/sagas/{id}/why", "/v1/sagas/{id}/history", "/v1/definitions/order",
		"/v1/definitions/order/versions/1", "/v1/definitions/order/versions/99999999999999999999", "/v1/dead-letters/%00", "/v1/queues",
		"/v1/stats", "/v1/keys", "/healthz", "/readyz", "/metrics/", "/openapi.json", "/../..", "//", "/v1/sagas/\xff", "",
	} {
		f.Add(byte(0), path, "")
		f.Add(byte(1), path, "since=1&wait=1h&limit=2&x=y")
	}
	s := newSurface(f)
	f.Fuzz(func(t *testing.T, kind byte, path, query string) {
		if strings.HasSuffix(path, "/watch") || path == "/docs" || path == "/metrics" || strings.HasPrefix(path, "/ui") {
			return // not JSON, and tested separately
		}
		path = strings.ReplaceAll(path, "{id}", s.saga(t, kinds()[int(kind)%len(kinds())]))
		_ = checkAnswer(t, s.send(t, http.MethodGet, path, query, nil, nil))
	})
}

// lists returns the calls with pages, and a valid position of each.
func lists() []call {
	return []call{
		{path: "/v1/sagas"}, {path: "/v1/definitions"}, {path: "/v1/dead-letters"}, {path: "/v1/sagas/{id}/history"},
	}
}

// FuzzCursor checks that a cursor is accepted or refused as a parameter.
func FuzzCursor(f *testing.F) {
	for list := range lists() {
		for _, after := range []string{
			"2:sagas:01JD0000000000000000000000", "2:definitions:order", "2:history:1", "2:", "1:order", "2:sagas:\x00",
			"2:history:-9223372036854775808", "2:dead-letters:x", "",
		} {
			f.Add(byte(list), base64.RawURLEncoding.EncodeToString([]byte(after)), 1)
		}
		f.Add(byte(list), "====", 500)
		f.Add(byte(list), "\xff", -1)
	}
	s := newSurface(f)
	f.Fuzz(func(t *testing.T, list byte, cursor string, limit int) {
		path := strings.ReplaceAll(lists()[int(list)%len(lists())].path, "{id}", s.saga(t, saga.Stuck))
		query := url.Values{"cursor": {cursor}, "limit": {json.Number(etagNumber(int64(limit))).String()}}
		problem := checkAnswer(t, s.send(t, http.MethodGet, path, query.Encode(), nil, nil))
		checkDiscretion(t, problem, []string{cursor})
		if problem != nil {
			require.Equal(t, resource.CodeInvalidParameter, problem.Code)
			return
		}
		require.True(t, limit >= 1 && limit <= 500, limit)
		if cursor != "" {
			raw, err := base64.RawURLEncoding.DecodeString(cursor)
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(string(raw), "2:"), "%q", raw)
		}
	})
}

// FuzzFilters checks that every saga in a list matches the filter, or that the filter is refused.
func FuzzFilters(f *testing.F) {
	f.Add("order", "order-42", "region=eu", "running", "", "2026-11-23T10:00:00Z", "1")
	f.Add("", "", "", "stuck", "retries_exhausted", "", "")
	f.Add("a b", "\x00", "=", "Running", "none", "0000-01-01T00:00:00+23:59", "-1")
	f.Add("order", strings.Repeat("k", 129), "a=b=c", "", "", "now", "2147483648")
	s := newSurface(f)
	f.Fuzz(func(t *testing.T, definition, key, label, status, reason, after, version string) {
		for _, kind := range kinds() {
			s.saga(t, kind)
		}
		query := url.Values{}
		for name, value := range map[string]string{
			"definition": definition, "key": key, "label": label, "status": status, "attention_reason": reason,
			"created_after": after, "version": version,
		} {
			if value != "" {
				query.Set(name, value)
			}
		}
		answer := s.send(t, http.MethodGet, "/v1/sagas", query.Encode(), nil, nil)
		problem := checkAnswer(t, answer)
		checkDiscretion(t, problem, []string{definition, key, label, status, reason, after})
		if problem != nil {
			require.Equal(t, resource.CodeInvalidParameter, problem.Code)
			return
		}
		var list resource.List[resource.Saga]
		require.NoError(t, json.Unmarshal(answer.Body.Bytes(), &list))
		for _, item := range list.Items {
			require.True(t, definition == "" || item.Definition == definition)
			require.True(t, key == "" || string(item.Key) == key)
			require.True(t, status == "" || string(item.Status) == status)
			require.True(t, reason == "" || item.Attention != nil && string(item.Attention.Reason) == reason)
		}
	})
}
