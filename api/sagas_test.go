package api_test

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func TestStartingASaga(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	a := o.post("/v1/sagas", `{"definition":"order","key":"order-42","data":{"orderId":"42","html":"<&>"},"priority":3,
		"labels":{"region":"eu"},"deadline":"24h"}`)
	started := a.saga(http.StatusCreated)
	assert.Equal(t, "/v1/sagas/"+started.ID, a.Header.Get("Location"))
	assert.Equal(t, `"`+strconv.FormatInt(started.Revision, 10)+`"`, a.Header.Get("ETag"))
	assert.Equal(t, saga.Running, started.Status)
	assert.Equal(t, 1, started.Version)
	assert.Equal(t, map[string]string{"region": "eu"}, started.Labels)
	assert.JSONEq(t, `{"orderId":"42","html":"<&>"}`, string(started.Data))
	assert.Contains(t, string(a.content), "<&>", "the data is unchanged")
	assert.NotNil(t, started.DeadlineAt)
}

func TestAStartIsRefused(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	labels := strings.TrimSuffix(strings.Repeat(`"l%":"v",`, 33), ",")
	for i := range 33 {
		labels = strings.Replace(labels, "%", strconv.Itoa(i), 1)
	}
	for name, refused := range map[string]struct {
		body    string
		status  int
		code    string
		pointer string
	}{
		"empty":                {``, 400, "invalid_body", ""},
		"not JSON":             {`{"definition":`, 400, "invalid_body", ""},
		"a second document":    {`{"definition":"order"}{}`, 400, "invalid_body", ""},
		"a member twice":       {`{"definition":"order","definition":"other"}`, 400, "invalid_body", ""},
		"a NUL":                {`{"definition":"order","data":{"a":"\u0000"}}`, 400, "invalid_body", ""},
		"a lone surrogate":     {`{"definition":"order","data":{"a":"\ud800"}}`, 400, "invalid_body", ""},
		"invalid UTF-8":        {"{\"definition\":\"\xff\"}", 400, "invalid_body", ""},
		"nested too deep":      {`{"definition":"order","data":{"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}}`, 400, "invalid_body", ""},
		"a number too large":   {`{"definition":"order","data":{"a":1e400}}`, 400, "invalid_body", ""},
		"a byte order mark":    {"\ufeff{\"definition\":\"order\"}", 400, "invalid_body", ""},
		"no object":            {`["order"]`, 422, "invalid_field", ""},
		"an unknown member":    {`{"definition":"order","colour":"red"}`, 422, "unknown_field", "/colour"},
		"another case":         {`{"Definition":"order"}`, 422, "unknown_field", "/Definition"},
		"the wrong type":       {`{"definition":42}`, 422, "invalid_field", "/definition"},
		"no definition":        {`{"data":{}}`, 422, "invalid_field", "/definition"},
		"data that is a list":  {`{"definition":"order","data":[]}`, 422, "invalid_field", "/data"},
		"a priority too high":  {`{"definition":"order","priority":10}`, 422, "invalid_field", "/priority"},
		"a negative priority":  {`{"definition":"order","priority":-1}`, 422, "invalid_field", "/priority"},
		"a negative deadline":  {`{"definition":"order","deadline":"-1s"}`, 422, "invalid_field", "/deadline"},
		"a deadline at once":   {`{"definition":"order","deadline":"0s"}`, 422, "invalid_field", "/deadline"},
		"a deadline too near":  {`{"definition":"order","deadline":"1ns"}`, 422, "invalid_field", "/deadline"},
		"a version of none":    {`{"definition":"order","version":0}`, 422, "invalid_field", "/version"},
		"no duration":          {`{"definition":"order","deadline":"secret"}`, 422, "invalid_field", "/deadline"},
		"no time":              {`{"definition":"order","start_at":"tomorrow"}`, 422, "invalid_field", "/start_at"},
		"too far ahead":        {`{"definition":"order","start_at":"9999-01-01T00:00:00Z"}`, 422, "invalid_field", "/start_at"},
		"a key too long":       {`{"definition":"order","key":"` + strings.Repeat("k", 129) + `"}`, 422, "invalid_field", "/key"},
		"an empty key":         {`{"definition":"order","key":""}`, 422, "invalid_field", "/key"},
		"a key not to be seen": {`{"definition":"order","key":"a\u202eb"}`, 422, "invalid_field", "/key"},
		"too many labels":      {`{"definition":"order","labels":{` + labels + `}}`, 422, "invalid_field", "/labels"},
		"a label with =":       {`{"definition":"order","labels":{"a=b":"c"}}`, 422, "invalid_field", "/labels"},
		"no such definition":   {`{"definition":"other"}`, 404, "definition_not_found", ""},
		"no such version":      {`{"definition":"order","version":7}`, 404, "definition_not_found", ""},
		"too large":            {`{"definition":"order","data":{"a":"` + strings.Repeat("x", 300<<10) + `"}}`, 413, "payload_too_large", ""},
	} {
		a := o.post("/v1/sagas", refused.body, header{"Content-Type", "application/json"})
		found := a.problem(refused.status, refused.code)
		if refused.pointer != "" {
			require.NotEmpty(t, found.Errors, name)
			assert.Equal(t, refused.pointer, found.Errors[0].Pointer, name)
		}
		assert.NotContains(t, string(a.content), "secret", "a refusal does not repeat values")
		assert.NotContains(t, string(a.content), "xxxx")
	}
	assert.Empty(t, o.list("").Items, "no saga was started")
}

func TestAllFaultsOfAStartAreListed(t *testing.T) {
	t.Parallel()
	o := start(t)
	found := o.post("/v1/sagas", `{"definition":"","version":"1","key":"\n","priority":77,"deadline":"x","labels":[],"data":3,"colour":1}`).
		problem(422, "unknown_field")
	told := make(map[string]string)
	for _, fault := range found.Errors {
		told[fault.Pointer] = fault.Message
	}
	assert.Equal(t, map[string]string{
		"/colour": "is not a known field", "/definition": "must name a definition, in 1 to 63 letters, digits, - and _",
		"/version": "must be a whole number, 1 or more", "/key": "must be at most 128 printable characters",
		"/priority": "must be 0 to 9", "/deadline": "must be a duration such as 30s, from 1ms to 8760h0m0s",
		"/labels": "must be an object whose values are strings", "/data": "must be a JSON object",
	}, told)
	assert.Len(t, found.Errors, len(told), "each member once")
	found = o.post("/v1/sagas", `{"definition":"order","priority":-1}`).problem(422, "invalid_field")
	assert.Equal(t, "must be a whole number from 0 to 9", found.Errors[0].Message)
}

func TestABodyMustHaveTheContentTypeJSON(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	for _, mediaType := range []string{"", "text/plain", "application/xml", "application/json; charset=latin-1", "nonsense/;"} {
		o.post("/v1/sagas", `{"definition":"order"}`, header{"Content-Type", mediaType}).problem(415, "unsupported_media_type")
	}
	o.post("/v1/sagas", `{"definition":"order"}`, header{"Content-Encoding", "gzip"}).problem(415, "unsupported_media_type")
	o.post("/v1/sagas", `{"definition":"order"}`, header{"Content-Type", "application/json"},
		header{"Content-Type", "application/json"}).problem(400, "invalid_header")
	o.post("/v1/sagas", `{"definition":"order"}`, header{"Content-Type", "application/json; charset=UTF-8"}).saga(http.StatusCreated)
}

func TestAnIdempotencyKeyReturnsTheSameSaga(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	key := header{"Idempotency-Key", "k1"}
	first := o.begin(`{"definition":"order","data":{"a":1,"b":{"c":[1,2],"d":null}}}`, key)
	again := o.post("/v1/sagas", ` {"data":{"b":{"d":null,"c":[1, 2]},"a":1}, "definition":"order", "priority":0, "key":null}`, key)
	assert.Equal(t, first.ID, again.saga(http.StatusOK).ID, "white space, order and explicit defaults do not matter")

	o.post("/v1/sagas", `{"definition":"order","data":{"a":2}}`, key).problem(422, "idempotency_conflict")
	o.post("/v1/sagas", `{"definition":"order"}`, header{"Idempotency-Key", strings.Repeat("k", 256)}).problem(422, "invalid_parameter")
	o.post("/v1/sagas", `{"definition":"order"}`, key, header{"Idempotency-Key", "k2"}).problem(400, "invalid_header")
	assert.Len(t, o.list("").Items, 1)
}

func TestABusinessKeyIsHeldByOneUnfinishedSaga(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	first := o.begin(`{"definition":"order","key":"order-42"}`)
	found := o.post("/v1/sagas", `{"definition":"order","key":"order-42"}`).problem(409, "key_in_use")
	assert.Equal(t, first.ID, found.SagaID)

	o.post("/v1/sagas/"+first.ID+"/abandon", `{"reason":"by hand"}`).saga(http.StatusOK)
	o.begin(`{"definition":"order","key":"order-42"}`)
}

func TestAStartMayWaitForTheEnd(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	o.worker(succeed)
	done := o.post("/v1/sagas?wait=20s", `{"definition":"order"}`).saga(http.StatusCreated)
	assert.Equal(t, saga.Completed, done.Status)

	o.post("/v1/sagas?wait=soon", `{"definition":"order"}`).problem(422, "invalid_parameter")
	o.post("/v1/sagas?wiat=1s", `{"definition":"order"}`).problem(422, "invalid_parameter")
}

func TestAWaitEndsWhenItsTimeIsUp(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	started := o.post("/v1/sagas?wait=50ms", `{"definition":"order"}`).saga(http.StatusCreated)
	assert.Equal(t, saga.Running, started.Status, "the saga has no worker")
	now := o.get("/v1/sagas/" + started.ID + "?wait=50ms&since=" + etagNumber(started.Revision)).saga(http.StatusOK)
	assert.Equal(t, started.Revision, now.Revision)
}

func TestALongPollReturnsAtTheNextChange(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	started := o.begin(`{"definition":"order"}`)
	changed := make(chan resource.Saga, 1)
	go func() {
		changed <- o.get("/v1/sagas/" + started.ID + "?wait=30s&since=" + etagNumber(started.Revision)).saga(http.StatusOK)
	}()
	o.post("/v1/sagas/"+started.ID+"/pause", "").saga(http.StatusOK)
	now := <-changed
	assert.Greater(t, now.Revision, started.Revision)
	known := o.get("/v1/sagas/" + started.ID + "?wait=30s&since=" + etagNumber(started.Revision)).saga(http.StatusOK)
	assert.Equal(t, saga.Paused, known.Status, "an earlier change is returned immediately")
}

func TestAMissingSagaIsNotFound(t *testing.T) {
	t.Parallel()
	o := start(t)
	for _, id := range []string{"01JD0000000000000000000000", "x", "%00", "..%2f", strings.Repeat("0", 500), "01JD0000000000000000000000%20"} {
		for _, path := range []string{"", "/why", "/history", "/watch"} {
			o.get("/v1/sagas/"+id+path).problem(404, "saga_not_found")
		}
		o.post("/v1/sagas/"+id+"/pause", "").problem(404, "saga_not_found")
	}
}

// list reads one page of sagas.
func (o *orchestrator) list(query string) resource.List[resource.Saga] {
	o.t.Helper()
	return into[resource.List[resource.Saga]](o.get("/v1/sagas?"+query), http.StatusOK)
}

func TestListsOfSagasAreFiltered(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	o.define("refund", charge)
	before := time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	first := o.begin(`{"definition":"order","key":"a/b c","labels":{"region":"eu","tier":"gold"}}`)
	second := o.begin(`{"definition":"order","labels":{"region":"us"}}`)
	third := o.begin(`{"definition":"refund"}`)
	o.post("/v1/sagas/"+third.ID+"/abandon", `{"reason":"test"}`).saga(http.StatusOK)

	for query, wanted := range map[string][]string{
		"":                                  {third.ID, second.ID, first.ID},
		"definition=order":                  {second.ID, first.ID},
		"definition=order&version=2":        {},
		"status=abandoned":                  {third.ID},
		"status=abandoned&status=running":   {third.ID, second.ID, first.ID},
		"key=" + url.QueryEscape("a/b c"):   {first.ID},
		"label=region%3Deu":                 {first.ID},
		"label=region%3Deu&label=tier=gold": {first.ID},
		"label=region%3Dus&label=tier=gold": {},
		"created_after=" + before:           {third.ID, second.ID, first.ID},
		"created_before=" + before:          {},
		"attention=true":                    {},
		"attention_reason=late_effect":      {},
	} {
		found := []string{}
		for _, item := range o.list(query).Items {
			found = append(found, item.ID)
		}
		assert.Equal(t, wanted, found, query)
	}
}

func TestListsHavePages(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	var started []string
	for range 5 {
		started = append([]string{o.begin(`{"definition":"order"}`).ID}, started...)
	}
	var found []string
	for query := "limit=2"; ; {
		page := o.list(query)
		for _, item := range page.Items {
			found = append(found, item.ID)
		}
		if page.NextCursor == "" {
			break
		}
		require.Len(t, page.Items, 2)
		query = "limit=2&cursor=" + string(page.NextCursor)
	}
	assert.Equal(t, started, found)
}

// A position means something else in another list, so a cursor names its list.
func TestACursorBelongsToItsList(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", `{"name":"only","command":"only.do","queue":"nobody"}`)
	for range 3 {
		o.begin(`{"definition":"order"}`)
	}
	for range 2 {
		o.post("/v1/sagas/actions", `{"action":"pause","filter":{"definition":"order"},"reason":"a test"}`)
	}
	sagas := into[resource.List[resource.Saga]](o.get("/v1/sagas?limit=1"), http.StatusOK)
	actions := into[resource.List[resource.BulkAction]](o.get("/v1/actions?limit=1"), http.StatusOK)
	require.NotEmpty(t, sagas.NextCursor)
	require.NotEmpty(t, actions.NextCursor)
	o.get("/v1/sagas?cursor="+string(actions.NextCursor)).problem(422, "invalid_parameter")
	o.get("/v1/actions?cursor="+string(sagas.NextCursor)).problem(422, "invalid_parameter")
	o.get("/v1/dead-letters?cursor="+string(sagas.NextCursor)).problem(422, "invalid_parameter")
	assert.Len(t, into[resource.List[resource.Saga]](o.get("/v1/sagas?cursor="+string(sagas.NextCursor)), http.StatusOK).Items, 2)
}

// A reason in the body of a request that does not take one would be kept nowhere.
func TestABodyThatIsNotReadIsRefused(t *testing.T) {
	t.Parallel()
	o := start(t)
	for path, missing := range map[string]string{"/v1/dead-letters/d-1": "dead_letter_not_found", "/v1/keys/01JD0000000000000000000000": "key_not_found"} {
		o.send(http.MethodDelete, path, `{"reason":"a test"}`).problem(400, "invalid_body")
		o.send(http.MethodDelete, path, `{}`).problem(404, missing)
		o.send(http.MethodDelete, path, "").problem(404, missing)
	}
}

func TestParametersOfListsAreChecked(t *testing.T) {
	t.Parallel()
	o := start(t)
	for query, name := range map[string]string{
		"limit=0": "limit", "limit=501": "limit", "limit=many": "limit", "cursor=???": "cursor", "cursor=MTox": "cursor",
		"cursor=" + strings.Repeat("A", 500): "cursor", "status=lost": "status", "version=0": "version",
		"version=99999999999": "version", "label=region": "label", "label=a%00=b": "label", "key=%00": "key", "key=%ff": "key",
		"created_after=yesterday": "created_after", "attention=maybe": "attention", "attention_reason=none": "attention_reason",
		"definition=%00": "definition", "colour=red": "colour",
	} {
		found := o.get("/v1/sagas?"+query).problem(422, "invalid_parameter")
		require.NotEmpty(t, found.Errors, query)
		assert.Equal(t, name, found.Errors[0].Parameter, query)
	}
	o.get("/v1/sagas?limit=%zz").problem(422, "invalid_parameter")
}

func TestHistoryIsOrderedAndHasPages(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve, charge)
	o.worker(succeed)
	done := o.post("/v1/sagas?wait=20s", `{"definition":"order"}`).saga(http.StatusCreated)
	var seqs []int64
	var types []saga.EntryType
	for query := "limit=2"; ; {
		page := into[resource.List[resource.HistoryEntry]](o.get("/v1/sagas/"+done.ID+"/history?"+query), http.StatusOK)
		for _, entry := range page.Items {
			seqs = append(seqs, entry.Seq)
			types = append(types, entry.Type)
		}
		if page.NextCursor == "" {
			break
		}
		query = "limit=2&cursor=" + string(page.NextCursor)
	}
	for i, seq := range seqs {
		assert.EqualValues(t, i+1, seq)
	}
	assert.Equal(t, saga.EntryStarted, types[0])
	assert.Equal(t, saga.EntryCompleted, types[len(types)-1])
	o.get("/v1/sagas/"+done.ID+"/history?cursor=MTp4").problem(422, "invalid_parameter")
}

func TestAWaitEndsWhenItsClientLeaves(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	started := o.begin(`{"definition":"order"}`)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, o.url+"/v1/sagas/"+started.ID+"?wait=30s&since="+etagNumber(started.Revision), nil)
	require.NoError(t, err)
	_, err = o.client.Do(request) //nolint:bodyclose // there is no response
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
