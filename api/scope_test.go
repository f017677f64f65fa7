package api_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// declared is a route as the OpenAPI document, which the routes generate, declares it.
type declared struct {
	ID        string `json:"operationId"`
	Role      string `json:"x-role"`
	Unlimited bool   `json:"x-unlimited"`
	Body      *struct {
		Required bool `json:"required"`
	} `json:"requestBody"`
	Security []map[string][]string `json:"security"`
	method   string
	path     string
}

// routes returns every route that needs a key.
func (o *orchestrator) routes() (all []declared) {
	o.t.Helper()
	document := into[struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}](o.get("/openapi.json"), http.StatusOK)
	for path, operations := range document.Paths {
		for method, text := range operations {
			route := declared{method: strings.ToUpper(method), path: path}
			require.NoError(o.t, json.Unmarshal(text, &route))
			if len(route.Security) > 0 {
				all = append(all, route)
			}
		}
	}
	return all
}

// bodies holds a valid body for each route that requires one.
func bodies(sagaID, letterID string) map[string]string {
	reason := `{"reason":"a test"}`
	return map[string]string{
		"put-definition": `{"steps":[` + reserve + `]}`, "set-definition": `{"disabled":false}`,
		"start-saga": `{"definition":"order"}`, "set-queue": `{"paused":false}`,
		"put-webhook": `{"url":"https://127.0.0.1:1/","events":["saga.stuck"]}`,
		"create-key":  `{"name":"ci","role":"viewer"}`, "patch-saga-data": `{"a":1}`,
		"skip-saga": `{"step":"reserve","reason":"a test"}`, "rewind-saga": `{"to":"reserve","reason":"a test"}`,
		"compensate-saga": reason, "abandon-saga": reason, "acknowledge-saga": reason,
		"act-on-sagas":        `{"action":"pause","filter":{"ids":["` + sagaID + `"]},"reason":"a test","dry_run":true}`,
		"act-on-dead-letters": `{"action":"discard","filter":{"ids":["` + letterID + `"]},"reason":"a test","dry_run":true}`,
	}
}

// limited creates a key for some definitions and returns its secret.
func (o *orchestrator) limited(role record.Role, definitions ...string) string {
	o.t.Helper()
	key, secret, faults := api.NewKey(resource.NewKey{Name: "limited", Role: string(role), Definitions: definitions}, time.Now())
	require.Empty(o.t, faults)
	require.NoError(o.t, o.store.CreateKey(context.Background(), key))
	return secret
}

// estate is an orchestrator with something of the definition order behind every route.
type estate struct {
	*orchestrator
	saga, letter, bulk string
}

func newEstate(t *testing.T) *estate {
	t.Helper()
	o := start(t, withKeys, func(c *api.Config) {
		c.SendWebhook = func(context.Context, record.Delivery) error { return nil }
	})
	e := &estate{orchestrator: o, letter: "01JD0000000000000000000009"}
	_, o.key = o.holder(record.Admin)
	o.define("order", reserve)
	e.saga = o.begin(`{"definition":"order","key":"order-42"}`).ID
	require.NoError(t, o.store.Transact(t.Context(), record.Batch{DeadLetters: []record.DeadLetter{
		{ID: e.letter, Source: record.SourceReply, Queue: "order-replies", SagaID: e.saga, CommandID: e.saga + "/reserve/execute/1"},
	}}, func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil }))
	o.put("/v1/definitions/other", `{"steps":[{"name":"a","command":"elsewhere.a"}]}`)
	e.bulk = o.bulk("/v1/sagas/actions", `{"action":"pause","filter":{"definition":"order"},"reason":"order-wide"}`).ID
	o.post("/v1/sagas/"+e.saga+"/resume", "").saga(http.StatusOK)
	return e
}

func (o *orchestrator) put(path, body string) {
	o.t.Helper()
	require.Equal(o.t, http.StatusCreated, o.send(http.MethodPut, path, body).StatusCode)
}

// call calls a route on what exists of the definition order.
func (e *estate) call(r declared, secret string) answer {
	e.t.Helper()
	id := e.saga
	switch {
	case strings.HasPrefix(r.path, "/v1/keys"):
		id = "01JD0000000000000000000000" // none, so that the keys of the test stay
	case strings.HasPrefix(r.path, "/v1/dead-letters"):
		id = e.letter
	case strings.HasPrefix(r.path, "/v1/actions"):
		id = e.bulk
	}
	path := strings.NewReplacer("{id}", id, "{name}", "order", "{version}", "1", "{queue}", "work").Replace(r.path)
	if r.ID == "patch-saga-data" {
		path += "?reason=test"
	}
	if r.ID == "watch-saga" {
		r.method = http.MethodHead // a stream of a running saga does not end
	}
	e.key = secret
	return e.send(r.method, path, bodies(e.saga, e.letter)[r.ID])
}

// TestEveryRouteByEveryRoleAndScope derives what each route must answer from what the route declares.
func TestEveryRouteByEveryRoleAndScope(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	routes := e.routes()
	require.Greater(t, len(routes), 40)
	roles := []record.Role{record.Viewer, record.Operator, record.Admin}
	for _, r := range routes {
		require.Contains(t, roles, record.Role(r.Role), "route %s declares a role", r.ID)
		_, has := bodies("", "")[r.ID]
		require.Equal(t, r.Body != nil && r.Body.Required, has, "route %s has a body in the test", r.ID)
		assert.Equal(t, http.StatusUnauthorized, e.call(r, "").StatusCode, r.ID)
	}
	for _, role := range roles {
		outside := e.limited(role, "other", "third")
		for _, r := range routes {
			a := e.call(r, outside)
			got, text := a.StatusCode, r.ID+" as "+string(role)+" of other definitions"
			switch {
			case !role.Includes(record.Role(r.Role)), r.Unlimited, r.ID == "put-definition":
				assert.Equal(t, http.StatusForbidden, got, text)
			case strings.Contains(r.path, "{") || r.ID == "start-saga":
				assert.Equal(t, http.StatusNotFound, got, "%s: %s", text, a.content)
			default:
				assert.Equal(t, http.StatusOK, got, "%s: %s", text, a.content)
				for _, hidden := range []string{"order", e.saga, e.letter, e.bulk, "inventory", `"work"`} {
					assert.NotContains(t, string(a.content), hidden, text)
				}
			}
		}
	}
	for _, role := range roles { // last, because it changes and deletes
		_, all := e.holder(role)
		inside := e.limited(role, "order", "third")
		for _, r := range routes {
			for secret, mayAll := range map[string]bool{inside: false, all: true} {
				got := e.call(r, secret).StatusCode
				if !role.Includes(record.Role(r.Role)) || r.Unlimited && !mayAll {
					assert.Equal(t, http.StatusForbidden, got, "%s as %s", r.ID, role)
					continue
				}
				assert.NotContains(t, []int{401, 403, 500}, got, "%s as %s", r.ID, role)
			}
		}
	}
}

// A key for the parent's definition starts, cancels and watches children through the parent only.
func TestEveryRouteHidesTheChildFromAKeyForItsParent(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	e.put("/v1/definitions/whole", `{"steps":[{"name":"part","saga":"order"}]}`)
	_, admin := e.holder(record.Admin)
	parent := e.begin(`{"definition":"whole"}`).ID
	var child string
	require.Eventually(t, func() bool {
		all := into[resource.List[resource.Saga]](e.get("/v1/sagas?parent="+parent), http.StatusOK).Items
		if len(all) == 1 {
			child = all[0].ID
		}
		return len(all) == 1
	}, 20*time.Second, 5*time.Millisecond)
	e.saga, e.letter = child, "01JD0000000000000000000008"
	require.NoError(t, e.store.Transact(t.Context(), record.Batch{DeadLetters: []record.DeadLetter{
		{ID: e.letter, Source: record.SourceReply, Queue: "order-replies", SagaID: child, CommandID: child + "/reserve/execute/1"},
	}}, func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil }))
	for _, role := range []record.Role{record.Viewer, record.Operator, record.Admin} {
		secret := e.limited(role, "whole")
		for _, r := range e.routes() {
			if !role.Includes(record.Role(r.Role)) || r.Unlimited || r.ID == "put-definition" {
				continue
			}
			a := e.call(r, secret)
			if strings.Contains(r.path, "{") || r.ID == "start-saga" {
				assert.Equal(t, http.StatusNotFound, a.StatusCode, "%s as %s: %s", r.ID, role, a.content)
				continue
			}
			assert.Equal(t, http.StatusOK, a.StatusCode, "%s as %s", r.ID, role)
			assert.NotContains(t, string(a.content), `"id":"`+child+`"`, "%s as %s", r.ID, role)
			assert.NotContains(t, string(a.content), `"work"`, "the child's queue: %s as %s", r.ID, role)
		}
		e.key = secret
		shown := e.get("/v1/sagas/" + parent).saga(http.StatusOK)
		assert.Equal(t, []string{child}, shown.Children, "the parent names its child")
		assert.Empty(t, into[resource.List[resource.Saga]](e.get("/v1/sagas?parent="+parent), http.StatusOK).Items)
	}

	e.key = e.limited(record.Admin, "whole")
	e.send(http.MethodPut, "/v1/definitions/whole", `{"steps":[{"name":"part","saga":"other"}]}`).problem(http.StatusUnprocessableEntity, "invalid_definition")
	e.key = e.limited(record.Admin, "whole", "order")
	assert.Equal(t, http.StatusOK, e.send(http.MethodPut, "/v1/definitions/whole", `{"steps":[{"name":"part","saga":"order"}]}`).StatusCode)

	e.key = e.limited(record.Operator, "order") // of the child: it does not reach the parent
	assert.Equal(t, parent, e.get("/v1/sagas/"+child).saga(http.StatusOK).Parent.Saga)
	for _, path := range []string{"", "/why", "/history"} {
		e.get("/v1/sagas/"+parent+path).problem(http.StatusNotFound, "saga_not_found")
	}
	e.post("/v1/sagas/"+child+"/compensate", `{"reason":"r"}`).problem(http.StatusConflict, "not_applicable")

	e.key = e.limited(record.Operator, "whole")
	e.post("/v1/sagas/"+parent+"/compensate", `{"reason":"r"}`).saga(http.StatusOK)
	e.key = admin
	require.Eventually(t, func() bool {
		return e.get("/v1/sagas/"+child).saga(http.StatusOK).Status == saga.Compensating
	}, 20*time.Second, 5*time.Millisecond, "the parent's cancel turns the child back")
}

// without is a database from which the rows of some sagas were deleted by hand.
type without struct {
	api.Reads
	gone atomic.Value // the id
}

func (w *without) Saga(ctx context.Context, id string) (record.StoredSaga, error) {
	if id == w.gone.Load() {
		return record.StoredSaga{}, record.ErrSagaNotFound
	}
	return w.Reads.Saga(ctx, id)
}

// What a key does not cover is not found, which must not look like a row that is gone.
func TestWhyDoesNotTakeASagaOutsideTheScopeForGone(t *testing.T) {
	t.Parallel()
	rows := &without{}
	o := start(t, withKeys, func(c *api.Config) { rows.Reads, c.Reads = c.Reads, rows })
	_, admin := o.holder(record.Admin)
	o.key = admin
	o.define("order", reserve)
	o.put("/v1/definitions/whole", `{"steps":[{"name":"part","saga":"order"}]}`)
	parent := o.begin(`{"definition":"whole"}`)
	child := parent.Children[0]
	says := func(key, saga, text string) bool {
		o.key = key
		return strings.Contains(into[resource.Why](o.get("/v1/sagas/"+saga+"/why"), http.StatusOK).Message, text)
	}
	require.Eventually(t, func() bool { return o.get("/v1/sagas/"+child).StatusCode == http.StatusOK }, 20*time.Second, 5*time.Millisecond)
	assert.False(t, says(o.limited(record.Viewer, "whole"), parent.ID, "is gone"))
	assert.False(t, says(o.limited(record.Viewer, "order"), child, "is gone"))
	assert.False(t, says(admin, child, "is gone"))

	rows.gone.Store(child)
	require.Eventually(t, func() bool { return says(admin, parent.ID, "the row of that saga is gone") }, 20*time.Second, 5*time.Millisecond)
	assert.True(t, says(o.limited(record.Viewer, "whole", "order"), parent.ID, "the row of that saga is gone"))
	assert.True(t, says(o.limited(record.Viewer, "whole"), parent.ID, "See why that one is not further"))

	rows.gone.Store(parent.ID)
	assert.True(t, says(admin, child, "parent, saga "+parent.ID+", is gone"))
	assert.False(t, says(o.limited(record.Viewer, "order"), child, "is gone"))
}

func TestALimitedKeyWorksOnItsDefinitions(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	e.key = e.limited(record.Admin, "order")
	own := into[resource.Key](e.get("/v1/keys/me"), http.StatusOK)
	assert.Equal(t, []string{"order"}, own.Definitions)
	assert.Len(t, into[resource.List[resource.Saga]](e.get("/v1/sagas"), http.StatusOK).Items, 1)
	assert.Len(t, into[resource.List[resource.Definition]](e.get("/v1/definitions"), http.StatusOK).Items, 1)
	assert.Len(t, into[resource.List[resource.DeadLetter]](e.get("/v1/dead-letters"), http.StatusOK).Items, 1)
	assert.Empty(t, into[resource.List[resource.BulkAction]](e.get("/v1/actions"), http.StatusOK).Items,
		"the action of a key without limits is not shown: its targets may be of any definition")
	queues := into[resource.List[resource.Queue]](e.get("/v1/queues"), http.StatusOK).Items
	require.Len(t, queues, 1)
	assert.Equal(t, "work", queues[0].Name)
	assert.Equal(t, http.StatusOK, e.get("/v1/sagas/"+e.saga+"/why").StatusCode)
	done := e.orchestrator.bulk("/v1/sagas/actions", `{"action":"pause","filter":{"attention":true},"reason":"r"}`)
	assert.Zero(t, done.Matched)
	done = e.orchestrator.bulk("/v1/sagas/actions", `{"action":"pause","filter":{"status":["running"]},"reason":"r"}`)
	assert.Equal(t, 1, done.Matched)
	assert.Len(t, into[resource.List[resource.BulkAction]](e.get("/v1/actions"), http.StatusOK).Items, 2)
	assert.Equal(t, http.StatusNoContent, e.send(http.MethodDelete, "/v1/dead-letters/"+e.letter, "").StatusCode)
}

func TestABulkActionOfALimitedKeyLeavesOthersAlone(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	e.key = e.limited(record.Operator, "other")
	for _, filter := range []string{`{"status":["running"]}`, `{"definition":"order"}`, `{"key":"order-42"}`, `{"ids":["` + e.saga + `"]}`} {
		done := e.orchestrator.bulk("/v1/sagas/actions", `{"action":"abandon","filter":`+filter+`,"reason":"r"}`)
		assert.Zero(t, done.Matched, filter)
		dry := into[resource.DryRun](e.post("/v1/sagas/actions", `{"action":"abandon","filter":`+filter+`,"reason":"r","dry_run":true}`), http.StatusOK)
		assert.Zero(t, dry.Matched, filter)
	}
	e.post("/v1/actions/"+e.bulk+"/cancel", "").problem(http.StatusNotFound, "action_not_found")
}

func TestAKeyExpires(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	created := into[resource.Key](e.post("/v1/keys", `{"name":"ci","role":"viewer","expires_in":"1s"}`), http.StatusCreated)
	require.NotNil(t, created.ExpiresAt)
	e.key = created.Secret
	require.Eventually(t, func() bool { return e.get("/v1/stats").StatusCode == http.StatusUnauthorized }, 30*time.Second, 20*time.Millisecond)
	_, e.key = e.holder(record.Admin)
	ended := e.post("/v1/keys/"+created.ID+"/rotate", "").problem(http.StatusConflict, resource.CodeNotApplicable)
	assert.Contains(t, ended.Detail, "has expired or was revoked")
	for _, body := range []string{
		`{"name":"x","role":"viewer","expires_in":"0"}`, `{"name":"x","role":"viewer","expires_in":"soon"}`,
		`{"name":"x","role":"viewer","definitions":[]}`, `{"name":"x","role":"viewer","definitions":["a b"]}`,
	} {
		e.post("/v1/keys", body).problem(422, "invalid_field")
	}
}

// A key may be created before its definitions, because the service that holds it may register them. The answer names those that
// are not registered, because one of them may be misspelt.
func TestANewKeyNamesItsUnknownDefinitions(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	require.Less(t, e.send(http.MethodPut, "/v1/definitions/known", `{"steps":[{"name":"a","command":"b.c"}]}`).StatusCode, 300)
	created := into[resource.Key](e.post("/v1/keys", `{"name":"ci","role":"admin","definitions":["known","knwon"]}`), http.StatusCreated)
	assert.Equal(t, []string{"knwon"}, created.UnknownDefinitions)
	assert.Equal(t, []string{"known", "knwon"}, created.Definitions)
	for _, listed := range into[resource.List[resource.Key]](e.get("/v1/keys"), http.StatusOK).Items {
		assert.Nil(t, listed.UnknownDefinitions)
	}
}

func TestARotationLeavesNoGap(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	created := into[resource.Key](e.post("/v1/keys", `{"name":"ci","role":"viewer"}`), http.StatusCreated)
	admin := e.key
	status := func(secret string) int {
		e.key = secret
		defer func() { e.key = admin }()
		return e.get("/v1/stats").StatusCode
	}
	rotated := into[resource.Key](e.post("/v1/keys/"+created.ID+"/rotate", `{"grace":"1h"}`), http.StatusOK)
	assert.NotEqual(t, created.Secret, rotated.Secret)
	assert.Equal(t, []int{200, 200}, []int{status(created.Secret), status(rotated.Secret)})
	last := into[resource.Key](e.post("/v1/keys/"+created.ID+"/rotate", ""), http.StatusOK)
	assert.Equal(t, []int{401, 401, 200}, []int{status(created.Secret), status(rotated.Secret), status(last.Secret)})
	e.post("/v1/keys/"+created.ID+"/rotate", `{"grace":"31d"}`).problem(422, "invalid_field")
	e.post("/v1/keys/01JD0000000000000000000000/rotate", "").problem(404, "key_not_found")
	listed := into[resource.List[resource.Key]](e.get("/v1/keys"), http.StatusOK).Items
	assert.NotNil(t, listed[0].LastUsedAt)
}

func TestAKeyHasARate(t *testing.T) {
	t.Parallel()
	o := start(t, withKeys, func(c *api.Config) { c.KeyRate = 3 })
	_, busy := o.holder(record.Viewer)
	_, other := o.holder(record.Viewer)
	o.key = busy
	require.Eventually(t, func() bool { // requests may take so long that the window moves on
		a := o.get("/v1/keys/me")
		if a.StatusCode == http.StatusOK {
			return false
		}
		a.problem(http.StatusTooManyRequests, "rate_limited")
		assert.Equal(t, "1", a.Header.Get("Retry-After"))
		return true
	}, time.Minute, time.Millisecond)
	o.key = other
	assert.Equal(t, http.StatusOK, o.get("/v1/keys/me").StatusCode, "each key has its own")
	o.key = busy
	assert.Eventually(t, func() bool { return o.get("/v1/keys/me").StatusCode == http.StatusOK }, time.Minute, 100*time.Millisecond)
}
