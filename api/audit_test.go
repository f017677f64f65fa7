package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// audited returns the audit log, oldest first.
func (o *orchestrator) audited(query string) []resource.AuditEntry {
	o.t.Helper()
	items := into[resource.List[resource.AuditEntry]](o.get("/v1/audit?limit=500"+query), http.StatusOK).Items
	slices.Reverse(items)
	return items
}

func TestEveryChangeByTheAPIIsAudited(t *testing.T) {
	t.Parallel()
	o := start(t, withKeys)
	var keyID string
	keyID, o.key = o.holder(record.Admin)
	o.define("order", reserve)
	o.define("order", reserve) // changes nothing
	id := o.begin(`{"definition":"order"}`, header{"X-Request-Id", "call-1"}).ID
	o.begin(`{"definition":"order"}`, header{"Idempotency-Key", "k"})
	o.post("/v1/sagas", `{"definition":"order"}`, header{"Idempotency-Key", "k"}).saga(http.StatusOK) // changes nothing
	o.post("/v1/sagas/"+id+"/pause", `{"reason":"look"}`).saga(http.StatusOK)
	o.post("/v1/sagas/"+id+"/pause", `{"reason":"again"}`).problem(409, "not_applicable") // refused
	o.send(http.MethodPatch, "/v1/sagas/"+id+"/data?reason=mend", `{"a": 1}`).saga(http.StatusOK)
	bulk := o.bulk("/v1/sagas/actions", `{"action":"abandon","filter":{"ids":["`+id+`"]},"reason":"all gone"}`)
	require.Equal(t, 1, bulk.Done)
	o.send(http.MethodPatch, "/v1/queues/work", `{"paused":true}`)
	o.send(http.MethodPatch, "/v1/definitions/order", `{"disabled":true}`)

	log := o.audited("")
	var got []string
	for _, e := range log {
		assert.Equal(t, "test admin", e.Actor)
		got = append(got, e.Action)
	}
	assert.Equal(t, []string{
		"definition.put", "saga.start", "saga.start", "saga.pause", "saga.patch_data", "bulk.create", "saga.abandon", "queue.set", "definition.disable",
	}, got)
	first := log[1]
	assert.Equal(t, []string{"sagas/" + id, keyID, "call-1"}, []string{first.Target, first.KeyID, first.RequestID})
	assert.JSONEq(t, `{"status":"running","definition":"order","version":1}`, string(first.After))
	assert.Equal(t, "look", log[3].Reason)
	states := func(e resource.AuditEntry) string {
		var before, after struct {
			Status   string
			Revision int64
			Patch    json.RawMessage
		}
		require.NoError(t, json.Unmarshal(e.Before, &before))
		require.NoError(t, json.Unmarshal(e.After, &after))
		assert.Greater(t, after.Revision, before.Revision)
		return fmt.Sprint(before.Status, " ", after.Status, " ", string(after.Patch))
	}
	assert.Equal(t, "running paused ", states(log[3]))
	assert.Equal(t, `paused paused {"a":1}`, states(log[4]))
	assert.Equal(t, "paused abandoned ", states(log[6]))
	assert.Equal(t, []string{"all gone", bulk.ID}, []string{log[6].Reason, log[6].RequestID})
	assert.Equal(t, "all gone", log[5].Reason)

	assert.Len(t, o.audited("&target="+id), 4)
	assert.Len(t, o.audited("&target=sagas/"+id), 4)
	assert.Empty(t, o.audited("&actor=ci"))
	assert.Empty(t, o.audited("&until=2020-01-01T00:00:00Z"))
	assert.Len(t, o.audited("&since=2020-01-01T00:00:00Z"), len(log))
	o.get("/v1/audit?since=yesterday").problem(422, "invalid_parameter")
	chain := into[resource.AuditChain](o.get("/v1/audit/chain"), http.StatusOK)
	assert.Equal(t, log[len(log)-1].Hash, chain.Hash)

	o.key = o.limited(record.Admin, "other")
	assert.Empty(t, o.audited(""))
	o.key = o.limited(record.Admin, "order")
	assert.Len(t, o.audited(""), len(log)-2, "without the queue and the bulk action")
}

func TestTheRedriveOfADeadLetterIsAudited(t *testing.T) {
	t.Parallel()
	e := newEstate(t)
	before := len(e.audited(""))
	_ = e.post("/v1/dead-letters/"+e.letter+"/redrive", "")
	require.Equal(t, http.StatusNoContent, e.send(http.MethodDelete, "/v1/dead-letters/"+e.letter, "").StatusCode)
	log := e.audited("")
	require.Len(t, log, before+1, "the redrive was refused: the letter has no body")
	last := log[len(log)-1]
	assert.Equal(t, []string{"dead_letter.discard", "dead-letters/" + e.letter}, []string{last.Action, last.Target})
	assert.JSONEq(t, `{"source":"reply","queue":"order-replies","reason":""}`, string(last.Before))
}
