package api_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func (o *orchestrator) bulks() []resource.BulkAction {
	o.t.Helper()
	return into[resource.List[resource.BulkAction]](o.get("/v1/actions"), http.StatusOK).Items
}

func TestAnIdempotencyKeyReturnsTheSameBulkAction(t *testing.T) {
	t.Parallel()
	o := start(t)
	ids := o.stuckWith("locked", 2)
	key := header{"Idempotency-Key", "k1"}
	first := into[resource.BulkAction](o.post("/v1/sagas/actions",
		`{"action":"skip","step":"receipt","output":{"a":1,"b":[1,2]},"reason":"x","canary":1,"filter":{"definition":"letter","status":["stuck"]}}`, key), http.StatusAccepted)
	into[resource.BulkAction](o.get("/v1/actions/"+first.ID+"?wait=20s"), http.StatusOK)
	again := o.post("/v1/sagas/actions", ` {"filter":{"status":[ "stuck"],"definition":"letter"},"canary":1, "patch":null,
		"output":{"b":[1,2],"a":1},"dry_run":false,"step":"receipt","reason":"x","action":"skip"}`, key)
	repeated := into[resource.BulkAction](again, http.StatusOK)
	assert.Equal(t, first.ID, repeated.ID, "white space, order and explicit defaults do not matter")
	assert.Equal(t, "waiting", repeated.Status, "it is shown as it is now")
	assert.Empty(t, again.Header.Get("Location"))

	o.post("/v1/sagas/actions",
		`{"action":"skip","step":"receipt","output":{"a":1,"b":[2,1]},"reason":"x","canary":1,"filter":{"definition":"letter","status":["stuck"]}}`, key).
		problem(422, "idempotency_conflict")
	assert.Len(t, o.bulks(), 1)
	left := 0
	for _, id := range ids {
		if o.get("/v1/sagas/"+id).saga(http.StatusOK).Status == saga.Stuck {
			left++
		}
	}
	assert.Equal(t, 1, left, "a repetition has no canary of its own")
}

func TestIdempotencyKeysOfBulkActionsAreCheckedLikeThoseOfStarts(t *testing.T) {
	t.Parallel()
	o := start(t)
	for path, body := range map[string]string{
		"/v1/sagas":                `{"definition":"order"}`,
		"/v1/sagas/actions":        `{"action":"pause","reason":"x","filter":{"key":"a"}}`,
		"/v1/dead-letters/actions": `{"action":"discard","reason":"x","filter":{"reason":"a"}}`,
	} {
		for _, malformed := range []string{strings.Repeat("k", 256), "a\tb", " "} {
			found := o.post(path, body, header{"Idempotency-Key", malformed}).problem(422, "invalid_parameter")
			assert.Equal(t, "Idempotency-Key", found.Errors[0].Parameter, path)
		}
		o.post(path, body, header{"Idempotency-Key", "k1"}, header{"Idempotency-Key", "k2"}).problem(400, "invalid_header")
	}
	into[resource.BulkAction](o.post("/v1/sagas/actions", `{"action":"pause","reason":"x","filter":{"key":"a"}}`,
		header{"Idempotency-Key", strings.Repeat("k", 255)}), http.StatusAccepted)
}

func TestStartsAndBulkActionsOfEachKindHaveIdempotencyKeysOfTheirOwn(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	key := header{"Idempotency-Key", "k1"}
	o.begin(`{"definition":"order"}`, key)
	sagas := into[resource.BulkAction](o.post("/v1/sagas/actions", `{"action":"pause","reason":"x","filter":{"key":"a"}}`, key), http.StatusAccepted)
	discard := `{"action":"discard","reason":"x","filter":{"source":"start"}}`
	letters := into[resource.BulkAction](o.post("/v1/dead-letters/actions", discard, key), http.StatusAccepted)
	assert.NotEqual(t, sagas.ID, letters.ID)
	assert.Equal(t, letters.ID, into[resource.BulkAction](o.post("/v1/dead-letters/actions", discard, key), http.StatusOK).ID)
	o.post("/v1/dead-letters/actions", `{"action":"discard","reason":"y","filter":{"source":"start"}}`, key).problem(422, "idempotency_conflict")
	assert.Len(t, o.bulks(), 2)
}

func TestADryRunIgnoresTheIdempotencyKey(t *testing.T) {
	t.Parallel()
	o := start(t)
	key := header{"Idempotency-Key", "k1"}
	for path, body := range map[string]string{
		"/v1/sagas/actions":        `{"action":"pause","reason":"x","filter":{"key":"a"}`,
		"/v1/dead-letters/actions": `{"action":"discard","reason":"x","filter":{"source":"start"}`,
	} {
		into[resource.DryRun](o.post(path, body+`,"dry_run":true}`, key), http.StatusOK)
		into[resource.BulkAction](o.post(path, body+`}`, key), http.StatusAccepted)
		report := o.post(path, body+`,"dry_run":true}`, key)
		into[resource.DryRun](report, http.StatusOK)
		assert.NotContains(t, string(report.content), `"id"`, "it is the report, not the bulk action of the key")
	}
}

func TestRequestsAtOnceUnderOneIdempotencyKeyBeginOneBulkAction(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.stuckWith("locked", 1)
	var asked sync.WaitGroup
	answered := make([]answer, 8)
	for i := range answered {
		asked.Go(func() {
			answered[i] = o.post("/v1/sagas/actions", `{"action":"retry","reason":"x","filter":{"definition":"letter"}}`, header{"Idempotency-Key", "k1"})
		})
	}
	asked.Wait()
	all := o.bulks()
	require.Len(t, all, 1)
	begun := 0
	for _, a := range answered {
		status := a.StatusCode
		if status == http.StatusAccepted {
			begun++
		} else {
			status = http.StatusOK
		}
		assert.Equal(t, all[0].ID, into[resource.BulkAction](a, status).ID)
	}
	assert.Equal(t, 1, begun)
}

func TestALimitedKeyLearnsNothingOfBulkActionsOfOtherKeys(t *testing.T) {
	t.Parallel()
	o := start(t, withKeys)
	_, admin := o.holder(record.Admin)
	_, operator := o.holder(record.Operator)
	o.key = admin
	o.define("order", reserve)
	o.begin(`{"definition":"order"}`)
	limited, namesake := o.limited(record.Operator, "order"), o.limited(record.Operator, "order")
	ask := func(by, idempotencyKey string) answer {
		o.key = by
		return o.post("/v1/sagas/actions", `{"action":"pause","reason":"x","filter":{"definition":"order"}}`, header{"Idempotency-Key", idempotencyKey})
	}
	first := into[resource.BulkAction](ask(admin, "k1"), http.StatusAccepted)
	assert.Equal(t, first.ID, into[resource.BulkAction](ask(operator, "k1"), http.StatusOK).ID, "as for starts: the key is of the whole installation")
	assert.NotContains(t, string(ask(limited, "k1").content), first.ID)
	ask(limited, "k1").problem(422, "idempotency_conflict")

	own := into[resource.BulkAction](ask(limited, "k2"), http.StatusAccepted)
	assert.Equal(t, own.ID, into[resource.BulkAction](ask(limited, "k2"), http.StatusOK).ID)
	ask(namesake, "k2").problem(422, "idempotency_conflict")
	ask(admin, "k2").problem(422, "idempotency_conflict") // for it, the body selects sagas of every definition
}
