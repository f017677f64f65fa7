package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	// cardNumber is the value of a sensitive member, and orderNumber that of another.
	cardNumber  = "4111-1111-1111"
	orderNumber = "order-4242"
)

// vault is an orchestrator whose sagas have sensitive members, in every place that shows payload.
type vault struct {
	*orchestrator
	saga    string            // stuck, with an error that repeats a sensitive value
	letters map[string]string // by what they are
	bulk    string
}

func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{orchestrator: start(t, withKeys), letters: make(map[string]string)}
	_, v.key = v.holder(record.Admin)
	parks := strings.Replace(charge, `"queue"`, `"retry":{"max_attempts":1},"queue"`, 1)
	v.put("/v1/definitions/order", `{"on_failure":"park","sensitive":["/card","/payment/token"],"steps":[`+reserve+`,`+parks+`]}`)
	v.worker(func(d wire.Delivery) wire.Reply {
		if strings.Contains(string(d.Data), cardNumber) && d.ID.Step == "charge" {
			return wire.Failed("declined", "refused "+cardNumber+" of "+orderNumber, false)
		}
		return wire.Succeeded([]byte(`{"payment":{"token":"` + cardNumber + `","by":"` + orderNumber + `"}}`))
	})
	v.saga = v.begin(`{"definition":"order","data":{"card":{"number":"` + cardNumber + `"},"order":"` + orderNumber + `"}}`).ID
	v.untilStatus(v.saga, saga.Stuck)
	v.bulk = v.orchestrator.bulk("/v1/sagas/actions",
		`{"action":"patch_data","filter":{"ids":["`+v.saga+`"]},"reason":"r","patch":{"card":"`+cardNumber+`"}}`).ID
	v.post("/v1/sagas/"+v.saga+"/abandon", `{"reason":"tried `+cardNumber+`, `+orderNumber+`"}`).saga(http.StatusOK) // so that its stream ends
	v.keep(map[string]record.DeadLetter{
		"command": {
			Source: record.SourceCommand, CommandID: v.saga + "/reserve/execute/1", SagaID: v.saga,
			Body: []byte(`{"data":{"card":"` + cardNumber + `","order":"` + orderNumber + `"},"output":{"payment":{"token":"` + cardNumber + `"}}}`),
		},
		"command of a deleted saga": {
			Source: record.SourceCommand, SagaID: "01JD0000000000000000000000", Headers: []byte(`{"saga-definition":"order","saga-version":1}`),
			Body: []byte(`{"data":{"card":"` + cardNumber + `","order":"` + orderNumber + `"}}`),
		},
		"reply": {
			Source: record.SourceReply, SagaID: v.saga,
			Body: []byte(`{"status":"failed","error":{"code":"x","message":"` + cardNumber + ` of ` + orderNumber + `"},"Output":{"card":"` + cardNumber + `"}}`),
		},
		"start": {
			Source: record.SourceStart,
			Body:   []byte(`{"definition":"order","data":{"card":"` + cardNumber + `","order":"` + orderNumber + `"}}`),
		},
		"reply that is not JSON":      {Source: record.SourceReply, SagaID: v.saga, Body: []byte(cardNumber + " " + orderNumber)},
		"reply with a member twice":   {Source: record.SourceReply, SagaID: v.saga, Body: []byte(`{"output":{"card":"` + cardNumber + `"},"output":{}}`)},
		"reply of an unknown saga":    {Source: record.SourceReply, Body: []byte(`{"output":{"card":"` + cardNumber + `"}}`)},
		"start of no definition":      {Source: record.SourceStart, Body: []byte(`{"definition":"none","data":{"card":"` + cardNumber + `"}}`)},
		"start that is not an object": {Source: record.SourceStart, Body: []byte(`["` + cardNumber + `"]`)},
	})
	return v
}

func (v *vault) keep(letters map[string]record.DeadLetter) {
	v.t.Helper()
	batch := record.Batch{}
	for what, letter := range letters {
		letter.ID = strings.ReplaceAll(what, " ", "-")
		letter.Queue, letter.Reason = "work", "rejected"
		v.letters[what] = letter.ID
		batch.DeadLetters = append(batch.DeadLetters, letter)
	}
	require.NoError(v.t, v.store.Transact(context.Background(), batch,
		func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil }))
}

// reads returns the paths of every route that reads, from the routes' own table.
func (v *vault) reads() (paths []string) {
	for _, r := range v.routes() {
		if r.method != http.MethodGet {
			continue
		}
		switch {
		case strings.HasPrefix(r.path, "/v1/dead-letters/"):
			for _, id := range v.letters {
				paths = append(paths, "/v1/dead-letters/"+id)
			}
		case strings.HasPrefix(r.path, "/v1/actions/"):
			paths = append(paths, strings.Replace(r.path, "{id}", v.bulk, 1))
		default:
			paths = append(paths, strings.NewReplacer("{id}", v.saga, "{name}", "order", "{version}", "1", "{queue}", "work").Replace(r.path))
		}
	}
	return paths
}

func TestViewersGetNoSensitiveValueFromAnyRoute(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	paths := v.reads()
	require.Greater(t, len(paths), 25)
	got := func(role record.Role, path string) string {
		_, v.key = v.holder(role)
		return string(v.get(path).content)
	}
	shown := []string{
		"/v1/sagas", "/v1/sagas/" + v.saga, "/v1/sagas/" + v.saga + "/history", "/v1/sagas/" + v.saga + "/watch", "/v1/actions", "/v1/actions/" + v.bulk,
	}
	for _, id := range v.letters {
		shown = append(shown, "/v1/dead-letters/"+id)
	}
	for _, path := range paths {
		assert.NotContains(t, got(record.Viewer, path), cardNumber, path)
	}
	for _, path := range shown {
		assert.Contains(t, paths, path)
		for _, role := range []record.Role{record.Operator, record.Admin} {
			assert.Contains(t, got(role, path), cardNumber, "%s as %s", path, role)
		}
	}
	for _, path := range append(shown[:4:4], "/v1/dead-letters/command", "/v1/dead-letters/command-of-a-deleted-saga", "/v1/dead-letters/start") {
		assert.Contains(t, got(record.Viewer, path), orderNumber, "what is not sensitive stays, in %s", path)
	}
}

func TestViewersGetNoSensitiveValueOfARelative(t *testing.T) {
	t.Parallel()
	o := start(t, withKeys)
	_, o.key = o.holder(record.Admin)
	o.put("/v1/definitions/shipping", `{"sensitive":["/token"],"steps":[`+reserve+`]}`)
	o.put("/v1/definitions/order", `{"sensitive":["/card"],"steps":[{"name":"ship","saga":"shipping","input":{"pay":"/card","order":"/order"},"output_as":"shipment"}]}`)
	o.worker(func(d wire.Delivery) wire.Reply {
		if strings.Contains(string(d.Data), "refuse") {
			return wire.Failed("declined", "refused "+cardNumber, false)
		}
		return wire.Succeeded([]byte(`{"token":"token-9876","tracking":7}`))
	})
	for data, status := range map[string]saga.Status{
		`{"card":"` + cardNumber + `","order":"` + orderNumber + `"}`: saga.Completed,
		`{"card":"` + cardNumber + `","order":"refuse"}`:              saga.Compensated,
	} {
		_, o.key = o.holder(record.Operator)
		parent := o.begin(`{"definition":"order","data":` + data + `}`).ID
		ended := o.untilStatus(parent, status)
		require.Len(t, ended.Children, 1)
		for _, id := range []string{parent, ended.Children[0]} {
			for _, path := range []string{"/v1/sagas/" + id, "/v1/sagas/" + id + "/history", "/v1/sagas/" + id + "/why", "/v1/sagas?limit=9"} {
				_, o.key = o.holder(record.Viewer)
				shown := string(o.get(path).content)
				assert.NotContains(t, shown, cardNumber, path)
				assert.NotContains(t, shown, "token-9876", path)
			}
			_, o.key = o.holder(record.Operator)
			assert.Contains(t, string(o.get("/v1/sagas/"+id).content), cardNumber, "operators see the values")
		}
		_, o.key = o.holder(record.Viewer)
		if status == saga.Completed {
			assert.JSONEq(t, `{"card":"***","order":"`+orderNumber+`","shipment":{"order":"`+orderNumber+`","pay":"***","token":"***","tracking":7}}`,
				string(o.get("/v1/sagas/"+parent).saga(http.StatusOK).Data))
		} else {
			assert.Contains(t, string(o.get("/v1/sagas/"+parent).content), "refused ***")
		}
	}
}

func TestWhatViewersGetKeepsItsShape(t *testing.T) {
	t.Parallel()
	v := newVault(t)
	_, v.key = v.holder(record.Viewer)
	one := v.get("/v1/sagas/" + v.saga).saga(http.StatusOK)
	assert.JSONEq(t, `{"card":"***","order":"`+orderNumber+`","payment":{"by":"`+orderNumber+`","token":"***"}}`, string(one.Data))
	assert.JSONEq(t, `{"payment":{"by":"`+orderNumber+`","token":"***"}}`, string(one.Steps[0].Output))
	assert.Equal(t, "refused *** of "+orderNumber, one.Steps[1].Error.Message)
	reply := into[resource.DeadLetter](v.get("/v1/dead-letters/reply"), http.StatusOK)
	assert.JSONEq(t, `{"status":"failed","error":{"code":"x","message":"*** of `+orderNumber+`"},"Output":"***"}`, reply.Text)
	assert.Equal(t, reply.Text, string(reply.Body))
	assert.Equal(t, "***", into[resource.DeadLetter](v.get("/v1/dead-letters/reply-that-is-not-JSON"), http.StatusOK).Text)
	assert.JSONEq(t, `{"card":"***"}`, string(into[resource.BulkAction](v.get("/v1/actions/"+v.bulk), http.StatusOK).Patch))
	assert.Equal(t, []string{"/card", "/payment/token"}, into[resource.Definition](v.get("/v1/definitions/order"), http.StatusOK).Sensitive)
}

// Where nothing is sensitive, viewers see all.
func TestViewersGetWhatIsNotSensitive(t *testing.T) {
	t.Parallel()
	o := start(t, withKeys)
	_, o.key = o.holder(record.Admin)
	o.define("order", reserve)
	id := o.begin(`{"definition":"order","data":{"card":"` + cardNumber + `"}}`).ID
	v := &vault{orchestrator: o, letters: map[string]string{}}
	v.keep(map[string]record.DeadLetter{"unknown": {Source: record.SourceReply, Body: []byte(cardNumber)}})
	_, o.key = o.holder(record.Viewer)
	assert.JSONEq(t, `{"card":"`+cardNumber+`"}`, string(o.get("/v1/sagas/"+id).saga(http.StatusOK).Data))
	assert.Equal(t, cardNumber, into[resource.DeadLetter](o.get("/v1/dead-letters/unknown"), http.StatusOK).Text)
}

func TestSensitivePointersAreRefusedWithTheirPlace(t *testing.T) {
	t.Parallel()
	o := start(t)
	faults := o.send(http.MethodPut, "/v1/definitions/order", `{"sensitive":["/a","card"],"steps":[`+reserve+`]}`).
		problem(http.StatusUnprocessableEntity, "invalid_definition").Errors
	require.Len(t, faults, 1)
	assert.Equal(t, "/sensitive/1", faults[0].Pointer)
}
