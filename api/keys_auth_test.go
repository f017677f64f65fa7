package api_test

import (
	"context"
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
)

// public marks routes that do not need a key.
const public record.Role = ""

// roles lists every route with its role.
func roles() map[string]record.Role {
	return map[string]record.Role{
		"GET /v1/definitions":                           record.Viewer,
		"GET /v1/definitions/{name}":                    record.Viewer,
		"GET /v1/definitions/{name}/versions":           record.Viewer,
		"GET /v1/definitions/{name}/versions/{version}": record.Viewer,
		"PUT /v1/definitions/{name}":                    record.Admin,
		"GET /v1/sagas":                                 record.Viewer,
		"GET /v1/sagas/{id}":                            record.Viewer,
		"GET /v1/sagas/{id}/history":                    record.Viewer,
		"GET /v1/sagas/{id}/watch":                      record.Viewer,
		"GET /v1/sagas/{id}/why":                        record.Viewer,
		"POST /v1/sagas":                                record.Operator,
		"POST /v1/sagas/{id}/retry":                     record.Operator,
		"POST /v1/sagas/{id}/rewind":                    record.Operator,
		"POST /v1/sagas/{id}/skip":                      record.Operator,
		"POST /v1/sagas/{id}/signals/{name}":            record.Operator,
		"POST /v1/sagas/{id}/compensate":                record.Operator,
		"POST /v1/sagas/{id}/abandon":                   record.Operator,
		"POST /v1/sagas/{id}/acknowledge":               record.Operator,
		"POST /v1/sagas/{id}/pause":                     record.Operator,
		"POST /v1/sagas/{id}/resume":                    record.Operator,
		"PATCH /v1/sagas/{id}/data":                     record.Operator,
		"GET /v1/dead-letters":                          record.Viewer,
		"GET /v1/dead-letters/{id}":                     record.Viewer,
		"GET /v1/queues":                                record.Viewer,
		"GET /v1/queues/{queue}":                        record.Viewer, "PATCH /v1/queues/{queue}": record.Operator,
		"GET /v1/stats":        record.Viewer,
		"GET /v1/keys":         record.Admin,
		"GET /v1/keys/me":      record.Viewer,
		"POST /v1/keys":        record.Admin,
		"DELETE /v1/keys/{id}": record.Admin,
		"GET /v1/audit":        record.Admin, "GET /v1/audit/chain": record.Admin,
		"GET /healthz":      public,
		"GET /readyz":       public,
		"GET /metrics":      public,
		"GET /openapi.json": public,
		"GET /v1/stuck":     record.Viewer, "GET /v1/actions": record.Viewer, "GET /v1/actions/{id}": record.Viewer,
		"GET /v1/actions/{id}/items": record.Viewer, "POST /v1/sagas/actions": record.Operator,
		"POST /v1/actions/{id}/continue": record.Operator, "POST /v1/actions/{id}/cancel": record.Operator,
		"POST /v1/dead-letters/{id}/redrive": record.Admin, "DELETE /v1/dead-letters/{id}": record.Admin,
		"POST /v1/dead-letters/actions": record.Admin, "PATCH /v1/definitions/{name}": record.Admin,
		"GET /docs":        public,
		"GET /v1/webhooks": record.Admin, "GET /v1/webhooks/{name}": record.Admin, "PUT /v1/webhooks/{name}": record.Admin,
		"DELETE /v1/webhooks/{name}": record.Admin, "POST /v1/webhooks/{name}/test": record.Admin,
		"POST /v1/keys/{id}/rotate": record.Admin,
	}
}

func withKeys(c *api.Config) { c.Auth = api.AuthKeys }

// holder creates a key with the role and returns its secret.
func (o *orchestrator) holder(role record.Role) (id, secret string) {
	o.t.Helper()
	key, secret, faults := api.NewKey(resource.NewKey{Name: "test " + string(role), Role: string(role)}, time.Now())
	require.Empty(o.t, faults)
	require.NoError(o.t, o.store.CreateKey(context.Background(), key))
	return key.ID, secret
}

func TestEveryRouteNeedsItsRole(t *testing.T) {
	t.Parallel()
	o := start(t, withKeys)
	secrets := map[record.Role]string{public: ""}
	for _, role := range []record.Role{record.Viewer, record.Operator, record.Admin} {
		_, secrets[role] = o.holder(role)
	}
	for call, needed := range roles() {
		method, path, _ := strings.Cut(call, " ")
		path = strings.NewReplacer("{id}", "01JD0000000000000000000000", "{name}", "none", "{version}", "1").Replace(path)
		for held, secret := range secrets {
			o.key = secret
			status := o.send(method, path, "").StatusCode
			switch {
			case needed == public || held != public && held.Includes(needed):
				assert.NotContains(t, []int{401, 403}, status, "%s as %q", call, held)
			case held == public:
				assert.Equal(t, http.StatusUnauthorized, status, call)
			default:
				assert.Equal(t, http.StatusForbidden, status, "%s as %q", call, held)
			}
		}
	}
}

func TestTheTableOfRolesIsComplete(t *testing.T) {
	t.Parallel()
	o := start(t)
	document := into[struct {
		Paths map[string]map[string]any `json:"paths"`
	}](o.get("/openapi.json"), http.StatusOK)
	table := roles()
	for path, calls := range document.Paths {
		for method := range calls {
			assert.Contains(t, table, strings.ToUpper(method)+" "+path)
		}
	}
}

func TestInvalidKeysAreRefused(t *testing.T) {
	t.Parallel()
	o := start(t, withKeys)
	_, secret := o.holder(record.Viewer)
	for _, value := range []string{
		"", "Bearer", "Bearer ", secret, "Basic " + secret, "Bearer sk_short", "Bearer " + secret + "x",
		"Bearer " + secret[:len(secret)-1] + "!", "Bearer sk_" + strings.Repeat("A", 43), "Bearer " + strings.Repeat("A", 10_000),
	} {
		a := o.get("/v1/stats", header{"Authorization", value})
		a.problem(401, "unauthorized")
		assert.Contains(t, a.Header.Get("WWW-Authenticate"), "Bearer")
	}
	assert.Equal(t, http.StatusOK, o.get("/v1/stats", header{"Authorization", "bearer " + secret}).StatusCode)
	o.get("/v1/stats", header{"Authorization", "Bearer " + secret}, header{"Authorization", "Bearer x"}).problem(400, "invalid_header")
}

func TestKeysByREST(t *testing.T) {
	t.Parallel()
	o := start(t, withKeys)
	_, o.key = o.holder(record.Admin)
	a := o.post("/v1/keys", `{"name":"ci","role":"operator"}`)
	created := into[resource.Key](a, http.StatusCreated)
	assert.True(t, strings.HasPrefix(created.Secret, "sk_"))
	listed := o.get("/v1/keys")
	assert.NotContains(t, string(listed.content), created.Secret, "a list does not show secrets")
	assert.Len(t, into[resource.List[resource.Key]](listed, http.StatusOK).Items, 2)

	bearer := header{"Authorization", "Bearer " + created.Secret}
	o.define("order", reserve)
	id := o.begin(`{"definition":"order"}`, bearer).ID
	o.post("/v1/sagas/"+id+"/pause", `{"reason":"look"}`, bearer).saga(http.StatusOK)
	history := into[resource.List[resource.HistoryEntry]](o.get("/v1/sagas/"+id+"/history"), http.StatusOK).Items
	assert.Equal(t, "ci", history[0].Actor, "the actor is the key's name")
	assert.Equal(t, "ci", history[len(history)-1].Actor)

	assert.Equal(t, http.StatusNoContent, o.send(http.MethodDelete, "/v1/keys/"+created.ID, "").StatusCode)
	o.get("/v1/stats", bearer).problem(401, "unauthorized")
	o.send(http.MethodDelete, "/v1/keys/01JD0000000000000000000000", "").problem(404, "key_not_found")
	o.send(http.MethodDelete, "/v1/keys/x", "").problem(404, "key_not_found")
	for _, body := range []string{`{"name":"x","role":"root"}`, `{"name":"","role":"viewer"}`, `{"name":"a\u0007","role":"viewer"}`, `{}`} {
		o.post("/v1/keys", body).problem(422, "invalid_field")
	}
	both := o.post("/v1/keys", `{"role":"root"}`).problem(422, "invalid_field").Errors
	assert.Equal(t, []string{"/name", "/role"}, []string{both[0].Pointer, both[1].Pointer})
}

func TestARevocationByAnotherReplicaTakesEffectWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	var now atomic.Int64
	now.Store(time.Now().UnixNano())
	o := start(t, withKeys, func(c *api.Config) { c.Now = func() time.Time { return time.Unix(0, now.Load()) } })
	id, secret := o.holder(record.Viewer)
	o.key = secret
	require.Equal(t, http.StatusOK, o.get("/v1/stats").StatusCode)
	require.NoError(t, o.store.RevokeKey(t.Context(), id)) // as another replica does
	now.Add(int64(5 * time.Second))
	o.get("/v1/stats").problem(401, "unauthorized")
}

func TestServingWithoutKeysRequiresALoopbackAddress(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"127.0.0.1:8080", "localhost:8080", "[::1]:8080", "127.9.9.9:1"} {
		require.NoError(t, api.CheckExposure(api.AuthNone, address, false), address)
	}
	for _, address := range []string{":8080", "0.0.0.0:8080", "[::]:8080", "192.168.1.5:8080", "example.com:80", "nonsense"} {
		require.Error(t, api.CheckExposure(api.AuthNone, address, false), address)
		require.NoError(t, api.CheckExposure(api.AuthNone, address, true), address)
		require.NoError(t, api.CheckExposure(api.AuthKeys, address, false), address)
	}
	require.EqualError(t, api.CheckExposure(api.AuthNone, "127.0.0.1", false),
		"listen address: want host:port, such as 127.0.0.1:8080: address 127.0.0.1: missing port in address")
	require.Error(t, api.CheckExposure("maybe", "127.0.0.1:8080", false))
}

// A member that is given and empty is not an absent one: a script with an unset variable must not get a key that never expires.
func TestAnEmptyExpiryIsRefused(t *testing.T) {
	t.Parallel()
	o := start(t)
	for pointer, body := range map[string]string{
		"/expires_in": `{"name":"t","role":"viewer","expires_in":""}`, "/definitions": `{"name":"t","role":"viewer","definitions":[]}`,
	} {
		found := o.post("/v1/keys", body).problem(http.StatusUnprocessableEntity, resource.CodeInvalidField)
		require.Len(t, found.Errors, 1)
		assert.Equal(t, pointer, found.Errors[0].Pointer)
	}
	id, _ := o.holder(record.Viewer)
	o.post("/v1/keys/"+id+"/rotate", `{"grace":""}`).problem(http.StatusUnprocessableEntity, resource.CodeInvalidField)
}
