package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

func TestEveryErrorIsAProblem(t *testing.T) {
	t.Parallel()
	o := start(t)
	for _, path := range []string{"/", "/v1", "/v1/sagas/", "//v1/sagas", "/v1/../healthz", "/v1/nothing", "/%2e%2e/%2e%2e/etc", "/v1/sagas/a/b/c"} {
		o.get(path).problem(404, "not_found")
	}
	a := o.send(http.MethodDelete, "/v1/sagas", "")
	a.problem(405, "method_not_allowed")
	assert.NotEmpty(t, a.Header.Values("Allow"), "a refusal lists the methods")
	o.send("BREW", "/healthz", "").problem(405, "method_not_allowed")
	assert.Equal(t, "nosniff", a.Header.Get("X-Content-Type-Options"))
	assert.Equal(t, "no-store", a.Header.Get("Cache-Control"))
	assert.NotEmpty(t, a.Header.Get("X-Request-Id"))
	named := o.get("/healthz", header{"X-Request-Id", "my-id"})
	assert.Equal(t, "my-id", named.Header.Get("X-Request-Id"))
	assert.NotEqual(t, "a b", o.get("/healthz", header{"X-Request-Id", "a b"}).Header.Get("X-Request-Id"))
}

func TestTheDocumentationMatchesTheRoutes(t *testing.T) {
	t.Parallel()
	o := start(t)
	a := o.get("/openapi.json")
	document := into[map[string]any](a, http.StatusOK)
	assert.Equal(t, "3.1.0", document["openapi"])
	text := string(a.content)
	for _, wanted := range []string{`"/v1/sagas/{id}/why"`, `"StartSaga"`, `"Saga"`, `"Problem"`, `application/problem+json`, `application/merge-patch+json`, `"bearer"`} {
		assert.Contains(t, text, wanted)
	}
	assert.NotContains(t, text, "ErrorModel", "the API does not send the router's errors")
	ids := map[any]bool{}
	for _, item := range document["paths"].(map[string]any) {
		for _, operation := range item.(map[string]any) {
			id := operation.(map[string]any)["operationId"]
			assert.NotEmpty(t, id)
			assert.False(t, ids[id], "%v occurs twice", id)
			ids[id] = true
		}
	}

	page := o.get("/docs")
	require.Equal(t, http.StatusOK, page.StatusCode)
	assert.Contains(t, page.Header.Get("Content-Type"), "text/html")
	for _, wanted := range []string{"/v1/sagas/{id}/skip", "Idempotency-Key", "CompensateAction", "<!doctype html>"} {
		assert.Contains(t, string(page.content), wanted)
	}
	for _, elsewhere := range []string{"http://", "https://", "<script"} {
		assert.NotContains(t, string(page.content), elsewhere, "the page does not load from other servers")
	}
}

func TestHealthAndMetrics(t *testing.T) {
	t.Parallel()
	o := start(t)
	assert.Equal(t, "ok", into[resource.Health](o.get("/healthz"), http.StatusOK).Status)
	ready := into[resource.Health](o.get("/readyz"), http.StatusOK)
	assert.Equal(t, map[string]string{"database": "ok", "broker": "ok"}, ready.Checks)
	o.get("/v1/sagas/01JD0000000000000000000000")
	o.get("/nothing/at/all")
	metrics := string(o.get("/metrics").content)
	assert.Contains(t, metrics, `saga_http_requests_total{method="GET",route="/v1/sagas/{id}",status="404"} 1`)
	assert.Contains(t, metrics, "saga_http_request_duration_seconds_bucket")
	assert.Contains(t, metrics, "go_goroutines")
	assert.NotContains(t, metrics, "/nothing", "unknown paths are not labels")
}

// failing is a database with the errors of the test.
type failing struct {
	api.Reads
	saga func(context.Context) (saga.Instance, error)
	ping error
}

func (f failing) Saga(ctx context.Context, _ string) (record.StoredSaga, error) {
	in, err := f.saga(ctx)
	return record.StoredSaga{Instance: in}, err
}
func (f failing) Ping(context.Context) error { return f.ping }

// away is an unreachable broker.
type away struct{ api.Broker }

func (away) Ready() error { return errors.New("connection refused at amqp://user:secret@host") }

func TestNotReadyWithoutDatabaseOrBroker(t *testing.T) {
	t.Parallel()
	o := start(t, func(c *api.Config) {
		c.Reads, c.Broker = failing{Reads: c.Reads, ping: errors.New("secret")}, away{c.Broker}
	})
	a := o.get("/readyz")
	ready := into[resource.Health](a, http.StatusServiceUnavailable)
	assert.Equal(t, "unavailable", ready.Status)
	assert.Equal(t, map[string]string{"database": "unreachable", "broker": "unreachable"}, ready.Checks)
	assert.NotContains(t, string(a.content), "secret")
	assert.Equal(t, http.StatusOK, o.get("/healthz").StatusCode, "the process is still alive")
}

func TestNotReadyWhileAQueueIsTooDeep(t *testing.T) {
	t.Parallel()
	o := start(t, func(c *api.Config) { c.MaxQueueDepth = 1 })
	o.define("order", reserve)
	into[resource.Health](o.get("/readyz"), http.StatusOK)
	for range 2 {
		id := o.begin(`{"definition":"order"}`).ID
		require.Eventually(t, func() bool {
			return into[resource.Why](o.get("/v1/sagas/"+id+"/why"), http.StatusOK).Evidence.Outbox.State == resource.OutboxConfirmed
		}, 20*time.Second, 5*time.Millisecond)
	}
	require.Eventually(t, func() bool { // the monitor checks once a second
		a := o.get("/readyz")
		return a.StatusCode == http.StatusServiceUnavailable && strings.Contains(into[resource.Health](a, a.StatusCode).Checks["queues"], "more than 1")
	}, 20*time.Second, 20*time.Millisecond)

	o.define("order", strings.ReplaceAll(reserve, `"queue":"work"`, `"queue":"elsewhere"`)) // sagas of the version before keep their queue
	checked := time.NewTimer(2500 * time.Millisecond)                                       // the monitor has then checked at least twice
	defer checked.Stop()
	for again := true; again; {
		require.Equal(t, http.StatusServiceUnavailable, o.get("/readyz").StatusCode)
		select {
		case <-checked.C:
			again = false
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestAHangingDatabaseIsReportedInTime(t *testing.T) {
	t.Parallel()
	o := start(t, func(c *api.Config) {
		c.RequestTimeout = 50 * time.Millisecond
		c.Reads = failing{Reads: c.Reads, saga: func(ctx context.Context) (saga.Instance, error) {
			<-ctx.Done()
			return saga.Instance{}, ctx.Err()
		}}
	})
	for _, path := range []string{"", "/why", "/watch", "?wait=10ms"} {
		o.get("/v1/sagas/01JD0000000000000000000000"+path).problem(503, "unavailable")
	}
}

func TestErrorsOfServersAreUnavailableAndOthersInternal(t *testing.T) {
	t.Parallel()
	var failure error
	var log bytes.Buffer
	o := start(t, func(c *api.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(&log, nil))
		c.Reads = failing{Reads: c.Reads, saga: func(context.Context) (saga.Instance, error) { return saga.Instance{}, failure }}
	})
	get := func() answer { return o.get("/v1/sagas/01JD0000000000000000000000") }
	for _, failure = range []error{
		record.ErrUnavailable, &net.OpError{Op: "dial", Err: errors.New("refused")}, net.ErrClosed, sqlState("57P01"), sqlState("40001"),
		sqlState("42P01"), sqlState("42501"), sqlState("42703"), sqlState("3F000"), // the tables are not there
	} {
		get().problem(503, "unavailable")
	}
	failure = sqlState("22P05")
	a := get()
	a.problem(500, "internal")
	assert.NotContains(t, string(a.content), "22P05", "the answer reveals no internals")
	assert.Contains(t, log.String(), "22P05", "the log has the error")
	assert.Contains(t, log.String(), a.Header.Get("X-Request-Id"))
}

type sqlState string

func (s sqlState) Error() string    { return "database said " + string(s) }
func (s sqlState) SQLState() string { return string(s) }

func TestAPanicIsAProblem(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	o := start(t, func(c *api.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(&log, nil))
		c.Reads = failing{Reads: c.Reads, saga: func(context.Context) (saga.Instance, error) { panic("secret") }}
	})
	a := o.get("/v1/sagas/01JD0000000000000000000000")
	a.problem(500, "internal")
	assert.NotContains(t, string(a.content), "secret")
	assert.Contains(t, log.String(), "secret")
}

func TestWhyWithAQueueWithoutConsumers(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	id := o.begin(`{"definition":"order"}`).ID
	var why resource.Why
	require.Eventually(t, func() bool {
		why = into[resource.Why](o.get("/v1/sagas/"+id+"/why"), http.StatusOK)
		return why.Cause == resource.CauseNoConsumer && *why.Evidence.Queue.Depth == 1 // at first the command may be on its way
	}, 20*time.Second, 5*time.Millisecond)
	assert.Equal(t, "reserve", *why.Step)
	o.worker(succeed)
	o.untilStatus(id, saga.Completed)
	assert.Equal(t, resource.CauseDone, into[resource.Why](o.get("/v1/sagas/"+id+"/why"), http.StatusOK).Cause)
}

func TestQueuesAndStats(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	o.define("other", `{"name":"idle","queue":"idle","command":"x.y"}`)
	o.begin(`{"definition":"order"}`)
	queues := into[resource.List[resource.Queue]](o.get("/v1/queues"), http.StatusOK).Items
	require.Len(t, queues, 2)
	assert.Equal(t, "idle", queues[0].Name, "idle queues are listed, too")
	assert.True(t, *queues[0].Exists)
	assert.Zero(t, *queues[0].CommandsOut)
	assert.EqualValues(t, 1, *queues[1].CommandsOut)
	assert.NotNil(t, queues[1].Oldest)

	stats := into[resource.Stats](o.get("/v1/stats"), http.StatusOK)
	assert.EqualValues(t, 1, stats.Sagas["order"][saga.Running])
	assert.EqualValues(t, 1, stats.Throughput.StartedLastMinute)
	require.Len(t, stats.Throughput.Minutes, 60, "those without sagas are listed, too")
	assert.True(t, stats.Throughput.Minutes[0].At.Before(stats.Throughput.Minutes[59].At.Time))
}

func TestQueuesAreListedIfCountingTimesOut(t *testing.T) {
	t.Parallel()
	o := start(t, func(c *api.Config) { c.Reads, c.RequestTimeout = endless{c.Reads}, time.Second })
	o.define("order", reserve)
	queues := into[resource.List[resource.Queue]](o.get("/v1/queues"), http.StatusOK).Items
	require.Len(t, queues, 1)
	assert.True(t, *queues[0].Exists)
	assert.Nil(t, queues[0].CommandsOut)
}

// endless is a database in which counting does not end.
type endless struct{ api.Reads }

func (endless) QueueLoads(ctx context.Context) ([]record.QueueLoad, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestQueuesWithoutABroker(t *testing.T) {
	t.Parallel()
	o := start(t, func(c *api.Config) { c.Broker = away{c.Broker} })
	o.define("order", reserve)
	queues := into[resource.List[resource.Queue]](o.get("/v1/queues"), http.StatusOK).Items
	require.Len(t, queues, 1)
	assert.Nil(t, queues[0].Depth, "unknown is not zero")
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	o := start(t)
	for _, content := range [][]byte{[]byte(`not a reply`), {0xff, 0x00}} {
		o.engine.ReceiveReply(t.Context(), wire.Message{Queue: "saga.replies", CorrelationID: "x", Body: content}, func(bool) {})
	}
	var list resource.List[resource.DeadLetter]
	require.Eventually(t, func() bool {
		list = into[resource.List[resource.DeadLetter]](o.get("/v1/dead-letters"), http.StatusOK)
		return len(list.Items) == 2
	}, 20*time.Second, 5*time.Millisecond)
	page := into[resource.List[resource.DeadLetter]](o.get("/v1/dead-letters?limit=1"), http.StatusOK)
	rest := into[resource.List[resource.DeadLetter]](o.get("/v1/dead-letters?limit=1&cursor="+string(page.NextCursor)), http.StatusOK)
	assert.Equal(t, list.Items, append(page.Items, rest.Items...))
	texts := map[string]string{}
	for _, item := range list.Items {
		assert.Empty(t, item.Body, "a list omits the content")
		shown := into[resource.DeadLetter](o.get("/v1/dead-letters/"+item.ID), http.StatusOK)
		texts[string(shown.Body)] = shown.Text
		assert.Equal(t, "reply", shown.Source)
		assert.NotEmpty(t, shown.Reason)
	}
	assert.Equal(t, map[string]string{"not a reply": "not a reply", "\xff\x00": ""}, texts)
	o.get("/v1/dead-letters/none").problem(404, "dead_letter_not_found")
	o.get("/v1/dead-letters/%00").problem(404, "dead_letter_not_found")
}

func TestAStartByMessageIsDecodedLikeOneByREST(t *testing.T) {
	t.Parallel()
	now := time.Now()
	one, err := api.DecodeStart([]byte(`{"definition":"order","data":{"a":1,"b":2},"start_at":"2026-11-23T10:00:00+01:00"}`), now)
	require.NoError(t, err)
	other, err := api.DecodeStart([]byte(`{"start_at":"2026-11-23T09:00:00Z","data":{"b":2,"a":1},"definition":"order"}`), now)
	require.NoError(t, err)
	assert.Equal(t, one.BodyHash, other.BodyHash)
	third, err := api.DecodeStart([]byte(`{"definition":"order","data":{"a":1,"b":3}}`), now)
	require.NoError(t, err)
	assert.NotEqual(t, one.BodyHash, third.BodyHash)
	var refused *resource.Problem
	_, err = api.DecodeStart([]byte(`{"definition":"order","data":{"a":"\u0000"}}`), now)
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, resource.CodeInvalidBody, refused.Code)
}

func TestAStartByMessageRequiresAMessageID(t *testing.T) {
	t.Parallel()
	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	message := wire.Message{
		MessageID: "m-1", UserID: "shop", Headers: map[string]any{"traceparent": trace}, Body: []byte(`{"definition":"order"}`),
	}
	request, err := api.DecodeStartMessage(message, time.Now())
	require.NoError(t, err)
	assert.Equal(t, "m-1", request.IdempotencyKey)
	assert.Equal(t, "amqp:shop", request.Actor)
	assert.Equal(t, trace, request.TraceParent)

	message.UserID, message.Headers = "", map[string]any{"traceparent": int64(1)}
	request, err = api.DecodeStartMessage(message, time.Now())
	require.NoError(t, err, "an invalid trace context is ignored")
	assert.Equal(t, "amqp", request.Actor)
	assert.Empty(t, request.TraceParent)

	message.Body = []byte("\ufeff" + `{"definition":"order"}`)
	_, err = api.DecodeStartMessage(message, time.Now())
	require.NoError(t, err, "as in replies, a byte order mark does not matter")

	message.Body = []byte(`{"definition":"order","key":""}`)
	_, err = api.DecodeStartMessage(message, time.Now())
	require.ErrorContains(t, err, "/key: must be a string that is not empty")
	message.Body = []byte(`{"definition":"order"}`)

	for _, id := range []string{"", "\xff", "\ufffd", "a\nb", strings.Repeat("k", 256)} {
		message.MessageID = id
		_, err = api.DecodeStartMessage(message, time.Now())
		require.ErrorContains(t, err, "invalid_parameter")
		require.ErrorContains(t, err, "message_id")
	}
	_, err = api.DecodeStartMessage(wire.Message{MessageID: "m", Body: bytes.Repeat([]byte(" "), 256<<10+1)}, time.Now())
	require.ErrorContains(t, err, "payload_too_large")
}

func TestLargeHeadersAreRefused(t *testing.T) {
	t.Parallel()
	o := start(t)
	a := o.get("/healthz", header{"X-Much", strings.Repeat("x", 64<<10)})
	assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, a.StatusCode)
}

func TestRequestsAreLoggedAtDebugLevel(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	o := start(t, func(c *api.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	o.get("/v1/sagas/01JD0000000000000000000000?limit=x")
	var line map[string]any
	require.NoError(t, json.Unmarshal(bytes.SplitN(log.Bytes(), []byte("\n"), 2)[0], &line))
	assert.Equal(t, "/v1/sagas/{id}", line["route"])
	assert.EqualValues(t, 422, line["status"])
}
