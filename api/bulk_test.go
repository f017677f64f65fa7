package api_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// stuckWith makes sagas whose only step is exhausted with that code.
func (o *orchestrator) stuckWith(code string, sagas int) (ids []string) {
	o.t.Helper()
	o.define("letter", receipt)
	for range sagas {
		id := o.begin(`{"definition":"letter"}`).ID
		body, err := wire.Failed(code, "no", false).Encode()
		require.NoError(o.t, err)
		settled := make(chan bool, 1)
		message := wire.Message{CorrelationID: id + "/receipt/execute/1", Body: body}
		o.engine.ReceiveReply(context.Background(), message, func(ok bool) { settled <- ok })
		require.True(o.t, <-settled)
		ids = append(ids, id)
	}
	return ids
}

// bulk takes a bulk action and waits until it no longer runs.
func (o *orchestrator) bulk(path, body string) resource.BulkAction {
	o.t.Helper()
	a := o.post(path, body)
	made := into[resource.BulkAction](a, http.StatusAccepted)
	assert.Equal(o.t, "/v1/actions/"+made.ID, a.Header.Get("Location"))
	return into[resource.BulkAction](o.get("/v1/actions/"+made.ID+"?wait=20s"), http.StatusOK)
}

func TestSagasThatNeedAttentionComeInGroups(t *testing.T) {
	t.Parallel()
	o := start(t)
	locked := o.stuckWith("locked", 2)
	o.stuckWith("gone", 1)
	found := into[resource.Groups](o.get("/v1/stuck"), http.StatusOK)
	assert.EqualValues(t, 3, found.Total)
	require.Len(t, found.Items, 2)
	g := found.Items[0]
	assert.Equal(t, resource.Text("locked"), g.ErrorCode)
	assert.EqualValues(t, 2, g.Count)
	assert.Contains(t, locked, g.Example)

	list := into[resource.List[resource.Saga]](
		o.get("/v1/sagas?definition=letter&attention_reason=retries_exhausted&step=receipt&error_code=locked"), http.StatusOK)
	assert.Len(t, list.Items, 2)
	filter, err := json.Marshal(g.Filter)
	require.NoError(t, err)
	report := into[resource.DryRun](o.post("/v1/sagas/actions", `{"action":"retry","reason":"x","dry_run":true,"filter":`+string(filter)+`}`), 200)
	assert.Equal(t, 2, report.Matched, "a group's filter selects exactly the group")
	assert.Empty(t, into[resource.Groups](o.get("/v1/stuck?definition=other"), http.StatusOK).Items)
	o.get("/v1/stuck?definition=").problem(422, "invalid_parameter")
	o.get("/v1/sagas?step=").problem(422, "invalid_parameter")
	assert.Empty(t, into[resource.List[resource.Saga]](o.get("/v1/sagas?step=-"), http.StatusOK).Items)
}

func TestAGroupsFilterSelectsTheGroupWhateverItsErrorCode(t *testing.T) {
	t.Parallel()
	o := start(t)
	codes := []string{"-", "\\-", "\t", "a\nb", "a,b", "ü%20&x=y", "  padded "}
	for i, code := range codes {
		o.stuckWith(code, i+1)
	}
	found := into[resource.Groups](o.get("/v1/stuck"), http.StatusOK)
	require.Len(t, found.Items, len(codes))
	for _, g := range found.Items {
		query := url.Values{"definition": {"letter"}, "step": {g.Filter.Step}, "error_code": {g.Filter.ErrorCode}}
		list := into[resource.List[resource.Saga]](o.get("/v1/sagas?"+query.Encode()), http.StatusOK)
		assert.Len(t, list.Items, int(g.Count), "%q", g.ErrorCode)
		filter, err := json.Marshal(g.Filter)
		require.NoError(t, err)
		report := into[resource.DryRun](o.post("/v1/sagas/actions", `{"action":"retry","reason":"x","dry_run":true,"filter":`+string(filter)+`}`), 200)
		assert.EqualValues(t, g.Count, report.Matched, "%q", g.ErrorCode)
	}
}

func TestOnlyAdminsControlActionsOnDeadLetters(t *testing.T) {
	t.Parallel()
	o := start(t, withKeys)
	_, operator := o.holder(record.Operator)
	_, o.key = o.holder(record.Admin)
	letters := []record.DeadLetter{{ID: "one", Source: record.SourceStart}, {ID: "two", Source: record.SourceStart}}
	err := o.store.Transact(t.Context(), record.Batch{DeadLetters: letters}, func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil })
	require.NoError(t, err)
	action := o.bulk("/v1/dead-letters/actions", `{"action":"discard","reason":"x","canary":1,"filter":{"source":"start"}}`)
	admin := o.key
	o.key = operator
	o.post("/v1/actions/"+action.ID+"/continue", "").problem(403, "forbidden")
	o.key = admin
	into[resource.BulkAction](o.post("/v1/actions/"+action.ID+"/continue", ""), http.StatusOK)
}

func TestABulkActionActsOnEachSagaOnce(t *testing.T) {
	t.Parallel()
	o := start(t)
	ids := o.stuckWith("locked", 3)
	running := o.begin(`{"definition":"letter"}`).ID
	request := `{"action":"skip","step":"receipt","output":{"by":"hand"},"reason":"sent by hand","filter":{"definition":"letter"}%s}`
	report := into[resource.DryRun](o.post("/v1/sagas/actions", fmt.Sprintf(request, `,"dry_run":true`)), http.StatusOK)
	assert.Equal(t, resource.DryRun{Matched: 4, Applicable: 3, Refused: 1, Items: report.Items}, report)
	assert.Equal(t, running, report.Items[0].ID, "newest first")
	assert.Contains(t, string(report.Items[0].Refused), "running")
	assert.Contains(t, string(report.Items[1].Would), "count step receipt as done")
	assert.Equal(t, saga.Stuck, o.get("/v1/sagas/"+ids[0]).saga(200).Status, "a dry run does nothing")

	action := o.bulk("/v1/sagas/actions", fmt.Sprintf(request, ""))
	assert.Equal(t, "completed", action.Status)
	assert.Equal(t, []int{4, 3, 1, 0, 0}, []int{action.Matched, action.Done, action.Refused, action.Failed, action.Remaining})
	assert.NotNil(t, action.FinishedAt)
	for _, id := range ids {
		done := o.get("/v1/sagas/" + id).saga(200)
		assert.Equal(t, saga.Completed, done.Status)
		assert.JSONEq(t, `{"by":"hand"}`, string(done.Data))
	}
	refused := into[resource.List[resource.BulkItem]](o.get("/v1/actions/"+action.ID+"/items?outcome=refused"), 200)
	require.Len(t, refused.Items, 1)
	assert.Equal(t, running, refused.Items[0].ID)
	assert.NotEmpty(t, refused.Items[0].Message)
	assert.Len(t, into[resource.List[resource.BulkAction]](o.get("/v1/actions"), 200).Items, 1)
	o.post("/v1/actions/"+action.ID+"/cancel", "").problem(409, "not_applicable")
}

func TestACanaryWaitsUntilItIsContinued(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.stuckWith("locked", 3)
	action := o.bulk("/v1/sagas/actions", `{"action":"retry","reason":"x","canary":1,"filter":{"status":["stuck"]}}`)
	assert.Equal(t, "waiting", action.Status)
	assert.Equal(t, []int{1, 2}, []int{action.Done, action.Remaining})
	into[resource.BulkAction](o.post("/v1/actions/"+action.ID+"/continue", ""), http.StatusOK)
	action = into[resource.BulkAction](o.get("/v1/actions/"+action.ID+"?wait=20s"), 200)
	assert.Equal(t, "completed", action.Status)
	assert.Equal(t, 3, action.Done)
	stopped := o.bulk("/v1/sagas/actions", `{"action":"retry","reason":"x","stop_after":2,"filter":{"definition":"letter"}}`)
	assert.Equal(t, "stopped", stopped.Status)
	assert.Equal(t, []int{2, 1}, []int{stopped.Refused, stopped.Remaining})
	cancelled := into[resource.BulkAction](o.post("/v1/actions/"+stopped.ID+"/cancel", ""), http.StatusOK)
	assert.Equal(t, "cancelled", cancelled.Status)
	o.get("/v1/actions/01JD0000000000000000000000").problem(404, "action_not_found")
}

func TestABulkRequestIsRefusedWithWhatIsWrong(t *testing.T) {
	t.Parallel()
	o := start(t)
	for body, want := range map[string]string{
		`{"action":"retry","reason":"x"}`:                                                           "filter_required",
		`{"action":"retry","reason":"x","filter":{}}`:                                               "filter_required",
		`{"action":"retry","reason":"x","filter":[]}`:                                               "invalid_field",
		`{"action":"retry","reason":"x","filter":{"key":""}}`:                                       "invalid_field",
		`{"action":"retry","reason":"x","filter":{"ids":[]}}`:                                       "invalid_field",
		`{"action":"retry","reason":"x","filter":{"ids":["x"]}}`:                                    "invalid_field",
		`{"action":"retry","reason":"x","filter":{"ids":["01JD0000000000000000000000"],"key":"a"}}`: "invalid_field",
		`{"action":"retry","reason":"x","filter":{"status":["lost"]}}`:                              "invalid_field",
		`{"action":"retry","reason":"x","filter":{"attention":false}}`:                              "invalid_field",
		`{"action":"retry","reason":"x","filter":{"colour":"red"}}`:                                 "unknown_field",
		`{"action":"retry","reason":"","filter":{"key":"a"}}`:                                       "invalid_field",
		`{"action":"explode","reason":"x","filter":{"key":"a"}}`:                                    "invalid_field",
		`{"action":"skip","reason":"x","filter":{"key":"a"}}`:                                       "invalid_field",
		`{"action":"retry","output":{},"reason":"x","filter":{"key":"a"}}`:                          "invalid_field",
		`{"action":"patch_data","reason":"x","filter":{"key":"a"}}`:                                 "invalid_field",
		`{"action":"pause","reason":"x","rate":-1,"filter":{"key":"a"}}`:                            "invalid_field",
		`{"action":"pause","reason":"x","rate":0,"filter":{"key":"a"}}`:                             "invalid_field",
		`{"action":"pause","reason":"x","rate":1e-300,"filter":{"key":"a"}}`:                        "invalid_field",
		`{"action":"pause","reason":"x","canary":-1,"filter":{"key":"a"}}`:                          "invalid_field",
		`{"action":"pause","reason":"x","stop_after":100001,"filter":{"key":"a"}}`:                  "invalid_field",
		`{"action":"pause","reason":"x","canary":0,"filter":{"key":"a"}}`:                           "invalid_field",
		`{"action":"pause","reason":"x","dry_run":null,"filter":{"key":"a"}}`:                       "invalid_field",
		`{"action":"pause","reason":"x","canary":null,"filter":{"key":"a"}}`:                        "invalid_field",
		`{"action":"pause","reason":"x","stop_after":null,"filter":{"key":"a"}}`:                    "invalid_field",
		`{"action":"pause","reason":"x","rate":null,"filter":{"key":"a"}}`:                          "invalid_field",
	} {
		a := o.post("/v1/sagas/actions", body)
		assert.Equal(t, http.StatusUnprocessableEntity, a.StatusCode, "%s: %s", body, a.content)
		assert.Equal(t, want, into[resource.Problem](a, 422).Code, body)
	}
}

func TestTheRateOfABulkActionHasLimits(t *testing.T) {
	t.Parallel()
	o := start(t)
	for _, path := range []string{"/v1/sagas/actions", "/v1/dead-letters/actions"} {
		action := map[bool]string{true: `"pause","filter":{"key":"a"}`, false: `"discard","filter":{"ids":["01JD0000000000000000000000"]}`}[path == "/v1/sagas/actions"]
		for rate, taken := range map[string]bool{"0.01": true, "1000000": true, "0.0099": false, "1000000.1": false, "1e-300": false} {
			a := o.post(path, `{"reason":"x","dry_run":true,"rate":`+rate+`,"action":`+action+`}`)
			if taken {
				assert.Equal(t, http.StatusOK, a.StatusCode, "%s %s: %s", path, rate, a.content)
				continue
			}
			refused := into[resource.Problem](a, http.StatusUnprocessableEntity)
			assert.Equal(t, []resource.FieldError{{Pointer: "/rate", Message: "must be from 0.01 to 1000000"}}, refused.Errors, rate)
		}
	}
}

func TestDeadLettersAreRedrivenAndDiscarded(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	id := o.begin(`{"definition":"order"}`).ID
	letters := []record.DeadLetter{
		{ID: "reply", Source: record.SourceReply, Queue: "saga.replies", SagaID: id, CommandID: id + "/reserve/execute/1", Body: []byte(`{"status":"succeeded"}`)},
		{ID: "nonsense", Source: record.SourceReply, Queue: "saga.replies", Reason: "malformed_reply", Body: []byte(`x`)},
		{ID: "one", Source: record.SourceStart, Queue: "saga.start"},
		{ID: "two", Source: record.SourceStart, Queue: "saga.start"},
	}
	err := o.store.Transact(t.Context(), record.Batch{DeadLetters: letters}, func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil })
	require.NoError(t, err)

	assert.Len(t, into[resource.List[resource.DeadLetter]](o.get("/v1/dead-letters?source=start"), 200).Items, 2)
	assert.Len(t, into[resource.List[resource.DeadLetter]](o.get("/v1/dead-letters?saga="+id), 200).Items, 1)
	assert.Len(t, into[resource.List[resource.DeadLetter]](o.get("/v1/dead-letters?saga="+strings.ToLower(id)), 200).Items, 1)
	o.get("/v1/dead-letters?saga=zz").problem(422, "invalid_parameter")
	o.post("/v1/dead-letters/actions", `{"action":"discard","reason":"x","filter":{"saga":"zz"}}`).problem(422, "invalid_field")
	unexplained := o.post("/v1/dead-letters/actions", `{"action":"discard","filter":{"source":"start"}}`).problem(422, "invalid_field")
	assert.Equal(t, "is required: it is recorded in the audit log", unexplained.Errors[0].Message)
	o.get("/v1/dead-letters?source=nowhere").problem(422, "invalid_parameter")
	o.post("/v1/dead-letters/nonsense/redrive", "").problem(409, "not_applicable")
	o.post("/v1/dead-letters/none/redrive", "").problem(404, "dead_letter_not_found")
	redriven := into[resource.Redriven](o.post("/v1/dead-letters/reply/redrive", `{"reason":"x"}`), http.StatusOK)
	assert.Equal(t, resource.Redriven{ID: "reply", RedrivenTo: "saga.replies"}, redriven)
	o.untilStatus(id, saga.Completed)
	o.get("/v1/dead-letters/reply").problem(404, "dead_letter_not_found")

	a := o.send(http.MethodDelete, "/v1/dead-letters/nonsense", "")
	assert.Equal(t, http.StatusNoContent, a.StatusCode, "%s", a.content)
	o.send(http.MethodDelete, "/v1/dead-letters/nonsense", "").problem(404, "dead_letter_not_found")
	o.post("/v1/dead-letters/actions", `{"action":"discard","reason":"x","filter":{}}`).problem(422, "filter_required")
	report := into[resource.DryRun](o.post("/v1/dead-letters/actions", `{"action":"discard","reason":"x","dry_run":true,"filter":{"source":"start"}}`), 200)
	assert.Equal(t, 2, report.Applicable)
	action := o.bulk("/v1/dead-letters/actions", `{"action":"discard","reason":"x","filter":{"source":"start"}}`)
	assert.Equal(t, 2, action.Done)
	assert.Empty(t, into[resource.List[resource.DeadLetter]](o.get("/v1/dead-letters"), 200).Items)
}

// A dry run knows what the idempotency key of a start says, as the redrive does.
func TestTheRedriveOfAStartIsForeseen(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	made := o.begin(`{"definition":"order"}`, header{"Idempotency-Key", "used"}).ID
	ids := []string{"01JD0000000000000000000001", "01JD0000000000000000000002", "01JD0000000000000000000003"}
	letter := func(id, key, body string) record.DeadLetter {
		return record.DeadLetter{ID: id, Source: record.SourceStart, Queue: "saga.start", Headers: []byte(`{"saga-idempotency-key":"` + key + `"}`), Body: []byte(body)}
	}
	letters := []record.DeadLetter{
		letter(ids[0], "used", `{"definition":"order","priority":1}`), letter(ids[1], "new", `{"definition":"order"}`),
		letter(ids[2], "used", `{"definition":"order"}`),
	}
	err := o.store.Transact(t.Context(), record.Batch{DeadLetters: letters}, func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil })
	require.NoError(t, err)
	report := into[resource.DryRun](o.post("/v1/dead-letters/actions", `{"action":"redrive","reason":"x","dry_run":true,"filter":{"ids":["`+strings.Join(ids, `","`)+`"]}}`), 200)
	require.Len(t, report.Items, 3)
	assert.Contains(t, string(report.Items[0].Refused), "a different request, for saga "+made)
	assert.Equal(t, "start a saga of order", string(report.Items[1].Would))
	assert.Contains(t, string(report.Items[2].Would), "the same request has started saga "+made)
	o.post("/v1/dead-letters/"+ids[0]+"/redrive", `{"reason":"x"}`).problem(409, "not_applicable")
	into[resource.Redriven](o.post("/v1/dead-letters/"+ids[2]+"/redrive", `{"reason":"x"}`), http.StatusOK)
	into[resource.Redriven](o.post("/v1/dead-letters/"+ids[1]+"/redrive", `{"reason":"x"}`), http.StatusOK)
	assert.Len(t, into[resource.List[resource.Saga]](o.get("/v1/sagas"), 200).Items, 2)
}

// However many operators redrive a letter at once, it is sent once.
func TestOfSeveralRedrivesOneWins(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	id := o.begin(`{"definition":"order"}`).ID
	command := record.DeadLetter{
		ID: "command", Source: record.SourceCommand, Queue: "stock", SagaID: id, CommandID: id + "/reserve/execute/1", Body: []byte(`{"data":{}}`),
	}
	err := o.store.Transact(t.Context(), record.Batch{DeadLetters: []record.DeadLetter{command}},
		func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil })
	require.NoError(t, err)
	letter, err := o.store.DeadLetter(t.Context(), "command")
	require.NoError(t, err)
	var asked sync.WaitGroup
	var won, gone atomic.Int32
	for range 6 { // each has read the letter before any of them redrives it
		asked.Go(func() {
			switch _, err := o.engine.Redrive(t.Context(), letter, saga.Action{ID: ulid.Make().String(), Actor: "ada"}); {
			case err == nil:
				won.Add(1)
			case assert.ErrorIs(t, err, record.ErrDeadLetterNotFound):
				gone.Add(1)
			}
		})
	}
	asked.Wait()
	assert.Equal(t, []int32{1, 5}, []int32{won.Load(), gone.Load()})
	history := into[resource.List[resource.HistoryEntry]](o.get("/v1/sagas/"+id+"/history"), http.StatusOK).Items
	redriven := slices.DeleteFunc(history, func(e resource.HistoryEntry) bool { return e.Type != saga.EntryStepRedriven })
	assert.Len(t, redriven, 1)
	o.post("/v1/dead-letters/command/redrive", "").problem(404, "dead_letter_not_found")
}

func TestABulkActionShowsItsParametersAndRefusesOthers(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.stuckWith("locked", 2)
	skipped := o.bulk("/v1/sagas/actions", `{"action":"skip","step":"receipt","output":{"by":"hand"},"reason":"x","rate":50,"canary":1,"stop_after":2,"filter":{"status":["stuck"]}}`)
	assert.Equal(t, "receipt", skipped.Step)
	assert.JSONEq(t, `{"by":"hand"}`, string(skipped.Output))
	assert.Equal(t, []float64{50, 1, 2}, []float64{skipped.Rate, float64(skipped.Canary), float64(skipped.StopAfter)})
	plain := o.get("/v1/actions/" + o.bulk("/v1/sagas/actions", `{"action":"pause","reason":"x","filter":{"key":"a"}}`).ID)
	for _, member := range []string{"step", "output", "patch", "to", "rate", "canary", "stop_after"} {
		assert.NotContains(t, string(plain.content), `"`+member+`"`)
	}

	at := "/v1/actions/" + skipped.ID
	for _, control := range []string{"/continue", "/cancel"} {
		o.post(at+control, `{"reason":"x"}`).problem(422, "unknown_field")
		o.post(at+control, `[]`).problem(422, "invalid_field")
		o.post(at+control, `{`).problem(400, "invalid_body")
	}
	assert.Equal(t, "waiting", into[resource.BulkAction](o.get(at), 200).Status, "what was refused changed nothing")
	into[resource.BulkAction](o.post(at+"/continue", `{}`), http.StatusOK)

	for _, path := range []string{"/v1/sagas/actions", "/v1/dead-letters/actions"} {
		found := o.post(path, `{"action":"discard","reason":"x","filter":{"reason":"a"}}`, header{"If-Match", `"3"`}).problem(422, "invalid_parameter")
		assert.Equal(t, "If-Match", found.Errors[0].Parameter)
	}
}

func TestSagasHaveNoParentYet(t *testing.T) {
	t.Parallel()
	o := start(t)
	id := o.stuckWith("locked", 1)[0]
	assert.Empty(t, into[resource.List[resource.Saga]](o.get("/v1/sagas?parent="+id), http.StatusOK).Items)
	assert.Zero(t, o.bulk("/v1/sagas/actions", `{"action":"retry","reason":"x","filter":{"parent":"`+id+`"}}`).Matched)
	o.get("/v1/sagas?parent=").problem(422, "invalid_parameter")
	o.get("/v1/sagas?parent=x").problem(422, "invalid_parameter")
	o.post("/v1/sagas/actions", `{"action":"retry","reason":"x","filter":{"parent":"x"}}`).problem(422, "invalid_field")
}

func TestOfADisabledDefinitionNothingIsStarted(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	running := o.begin(`{"definition":"order","data":{"a":1}}`, header{"Idempotency-Key", "k1"}).ID
	set := func(disabled bool) resource.Definition {
		return into[resource.Definition](o.send(http.MethodPatch, "/v1/definitions/order", fmt.Sprintf(`{"disabled":%v}`, disabled)), 200)
	}
	assert.True(t, set(true).Disabled)
	assert.True(t, into[resource.List[resource.Definition]](o.get("/v1/definitions"), 200).Items[0].Disabled)
	o.post("/v1/sagas", `{"definition":"order"}`).problem(409, "definition_disabled")
	assert.Equal(t, running, o.post("/v1/sagas", `{"definition":"order","data":{"a":1}}`, header{"Idempotency-Key", "k1"}).saga(200).ID)
	o.worker(succeed)
	o.untilStatus(running, saga.Completed)
	assert.False(t, set(false).Disabled)
	o.begin(`{"definition":"order"}`)
	o.send(http.MethodPatch, "/v1/definitions/none", `{"disabled":true}`).problem(404, "definition_not_found")
	o.send(http.MethodPatch, "/v1/definitions/order", `{}`).problem(422, "invalid_field")
}
