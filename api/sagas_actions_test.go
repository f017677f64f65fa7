package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// stuck starts a saga with one retriable step, whose worker fails until the data has "ok".
func (o *orchestrator) stuck() resource.Saga {
	o.t.Helper()
	o.define("mail", receipt)
	o.worker(func(c wire.Delivery) wire.Reply {
		if strings.Contains(string(c.Data), `"ok"`) {
			return wire.Succeeded(nil)
		}
		return wire.Failed("bad_address", "no @", false)
	})
	started := o.begin(`{"definition":"mail","data":{"email":"none","old":1}}`)
	return o.untilStatus(started.ID, saga.Stuck)
}

func TestAStuckSagaIsPatchedAndRetried(t *testing.T) {
	t.Parallel()
	o := start(t)
	stuck := o.stuck()
	path := "/v1/sagas/" + stuck.ID
	require.Equal(t, saga.RetriesExhausted, stuck.Attention.Reason)
	assert.Equal(t, stuck.ID, o.list("attention=true").Items[0].ID)

	o.send(http.MethodPatch, path+"/data", `{"email":"ok"}`).problem(422, "invalid_parameter")
	o.send(http.MethodPatch, path+"/data?reason=x", `["ok"]`).problem(422, "invalid_field")
	patched := o.send(http.MethodPatch, path+"/data?reason=typing+error", `{"email":"ok","old":null}`,
		header{"Content-Type", "application/merge-patch+json"}).saga(http.StatusOK)
	assert.JSONEq(t, `{"email":"ok"}`, string(patched.Data))
	a := o.post(path+"/retry", "")
	retried := a.saga(http.StatusOK)
	assert.Equal(t, `"`+etagNumber(retried.Revision)+`"`, a.Header.Get("ETag"))
	o.untilStatus(stuck.ID, saga.Completed)
}

func TestAnExhaustedStepIsSkippedWithAnOutput(t *testing.T) {
	t.Parallel()
	o := start(t)
	stuck := o.stuck()
	path := "/v1/sagas/" + stuck.ID + "/skip"
	o.post(path, `{"step":"receipt"}`).problem(422, "invalid_field")
	o.post(path, `{"reason":"sent by hand"}`).problem(422, "invalid_field")
	o.post(path, `{"step":"receipt","reason":" "}`).problem(422, "invalid_field")
	o.post(path, `{"step":"receipt","output":[],"reason":"sent by hand"}`).problem(422, "invalid_field")
	o.post(path, `{"step":"receipt","reason":"`+strings.Repeat("x", 1001)+`"}`).problem(422, "invalid_field")
	o.post(path, `{"step":"other","reason":"sent by hand"}`).problem(422, "unknown_step")
	done := o.post(path, `{"step":"receipt","output":{"sentBy":"Ada"},"reason":"sent by hand,\nyesterday"}`).saga(http.StatusOK)
	assert.Equal(t, saga.Completed, done.Status)
	assert.Contains(t, string(done.Data), "Ada")
	history := into[resource.List[resource.HistoryEntry]](o.get("/v1/sagas/"+stuck.ID+"/history"), http.StatusOK).Items
	assert.Equal(t, "anonymous", history[len(history)-2].Actor)
	assert.Equal(t, "sent by hand,\nyesterday", history[len(history)-2].Detail["reason"])
}

func TestASagaIsRewound(t *testing.T) {
	t.Parallel()
	o := start(t)
	a := o.send(http.MethodPut, "/v1/definitions/order", `{"on_failure":"park","steps":[
		{"name":"reserve","queue":"work","command":"inventory.reserve","compensation":"inventory.release"},
		{"name":"charge","queue":"work","command":"payments.charge","retry":{"max_attempts":1}}]}`)
	require.Equal(t, http.StatusCreated, a.StatusCode, "%s", a.content)
	var sent []string
	o.worker(func(c wire.Delivery) wire.Reply {
		sent = append(sent, c.ID.IdempotencyKey()[len(c.ID.Saga)+1:])
		if c.Name == "payments.charge" && !strings.Contains(string(c.Data), `"good"`) {
			return wire.Failed("declined", "no", false)
		}
		return wire.Succeeded(nil)
	})
	stuck := o.untilStatus(o.begin(`{"definition":"order","data":{"card":"bad"}}`).ID, saga.Stuck)
	assert.Contains(t, stuck.AllowedActions, saga.ActionRewind)
	path := "/v1/sagas/" + stuck.ID + "/rewind"
	for body, code := range map[string]string{
		`{"reason":"x"}`:                           "invalid_field",
		`{"to":"reserve"}`:                         "invalid_field",
		`{"to":"reserve","patch":[],"reason":"x"}`: "invalid_field",
		`{"to":"reserve","from":"x","reason":"x"}`: "unknown_field",
		`{"to":"nowhere","reason":"x"}`:            "unknown_step",
	} {
		o.post(path, body).problem(422, code)
	}
	went := o.post(path, `{"to":"reserve","patch":{"card":"good"},"reason":"another card"}`).saga(http.StatusOK)
	assert.Equal(t, resource.Text("reserve"), went.RewindingTo)
	assert.Equal(t, saga.Compensating, went.Status)
	done := o.untilStatus(stuck.ID, saga.Completed)
	assert.Empty(t, done.RewindingTo)
	assert.JSONEq(t, `{"card":"good"}`, string(done.Data))
	assert.Equal(t, []string{"reserve/execute", "charge/execute", "reserve/compensate", "reserve/execute-2", "charge/execute-2"}, sent)
	o.post(path, `{"to":"reserve","reason":"x"}`).problem(409, "not_applicable")
}

func TestARefusedActionListsTheAllowedOnes(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	started := o.begin(`{"definition":"order"}`)
	found := o.post("/v1/sagas/"+started.ID+"/resume", "").problem(409, "not_applicable")
	assert.Equal(t, []saga.ActionName{saga.ActionCompensate, saga.ActionRewind, saga.ActionPause, saga.ActionAbandon}, found.AllowedActions)
	assert.NotEmpty(t, found.Detail)
}

func TestAnActionMayRequireARevision(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	started := o.begin(`{"definition":"order"}`)
	path := "/v1/sagas/" + started.ID
	o.post(path+"/pause", "", header{"If-Match", `"999"`}).problem(412, "revision_moved")
	for _, tag := range []string{`"0"`, `"-1"`, `"+1"`, `w/"1"`, `W/1`, `"x"`, `"1`, `"1" "2"`, `"1", *`, `,`, strings.Repeat(`"1",`, 21)} {
		found := o.post(path+"/pause", "", header{"If-Match", tag}).problem(422, "invalid_parameter")
		assert.Equal(t, "If-Match", found.Errors[0].Parameter)
	}
	tag := o.get(path).Header.Get("ETag")
	o.post(path+"/pause", "", header{"If-Match", tag}).saga(http.StatusOK)
	o.post(path+"/resume", "", header{"If-Match", tag}).problem(412, "revision_moved")
	o.post(path+"/resume", `{}`, header{"If-Match", "*"}).saga(http.StatusOK)

	// A compressing proxy makes tags weak. One of several tags must match.
	for _, list := range []string{"W/%s", `"999", %s`, `%s,"999"`, `W/"999" , W/%s`} {
		now := o.get(path)
		action := "/pause"
		if now.saga(http.StatusOK).Status == saga.Paused {
			action = "/resume"
		}
		o.post(path+action, "", header{"If-Match", fmt.Sprintf(list, now.Header.Get("ETag"))}).saga(http.StatusOK)
	}
	o.post(path+"/pause", "", header{"If-Match", `"998", "999"`}).problem(412, "revision_moved")
	o.post("/v1/sagas/01JD0000000000000000000000/pause", "", header{"If-Match", `"998", "999"`}).problem(404, "saga_not_found")
}

func TestASagaIsCancelledPausedAndAbandoned(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve, charge)
	path := "/v1/sagas/" + o.begin(`{"definition":"order"}`).ID
	assert.Equal(t, saga.Paused, o.post(path+"/pause", `{"reason":"look"}`).saga(http.StatusOK).Status)
	o.post(path+"/compensate", `{}`).problem(422, "invalid_field")
	assert.Equal(t, saga.Compensating, o.post(path+"/compensate", `{"reason":"cancelled"}`).saga(http.StatusOK).Status)
	o.post(path+"/acknowledge", `{"reason":"x"}`).problem(409, "not_applicable")
	o.post(path+"/abandon", "").problem(400, "invalid_body")
	done := o.post(path+"/abandon", `{"reason":"by hand"}`).saga(http.StatusOK)
	assert.Equal(t, saga.Abandoned, done.Status)
	assert.Empty(t, done.AllowedActions)
	a := o.post(path+"/abandon", `{"reason":"again"}`)
	a.problem(409, "not_applicable")
	assert.Contains(t, string(a.content), `"allowed_actions":[]`, "the list is present although it is empty")
}

// Only a late effect is compensated by step: a step that is named does not cancel the whole saga.
func TestCompensateOfAStepDoesNotCancelTheSaga(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	id := o.begin(`{"definition":"order"}`).ID
	o.post("/v1/sagas/"+id+"/compensate", `{"step":"reserve","reason":"only this"}`).problem(http.StatusConflict, saga.RefusedNotApplicable)
	assert.Equal(t, saga.Running, into[resource.Saga](o.get("/v1/sagas/"+id), http.StatusOK).Status)
	for _, action := range []string{"retry", "compensate"} {
		o.post("/v1/sagas/"+id+"/"+action, `{"step":"","reason":"x"}`).problem(http.StatusUnprocessableEntity, resource.CodeInvalidField)
	}
}
