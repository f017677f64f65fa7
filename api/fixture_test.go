package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/definitions"
	"github.com/saga-orchestrator/orchestrator/internal/engine"
	"github.com/saga-orchestrator/orchestrator/internal/operate"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/relay"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/local"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// orchestrator is a complete orchestrator in memory, with its API on a socket.
type orchestrator struct {
	t      *testing.T
	url    string
	key    string // sent with every request, if set
	store  *memory.Store
	broker *local.Broker
	engine *engine.Engine
	client *http.Client

	documented func() operations
}

// start runs an orchestrator for one test, without authentication unless the test changes the configuration.
func start(t *testing.T, change ...func(*api.Config)) *orchestrator {
	t.Helper()
	kept, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	o := &orchestrator{t: t, store: kept, broker: local.New()}
	var parts sync.WaitGroup
	outbox := relay.New(relay.Config{
		Rows: kept, Publisher: betweenSagas{o.broker, func() *engine.Engine { return o.engine }, &parts},
		Published: func(ctx context.Context, id saga.CommandID, done func()) { o.engine.Published(ctx, id, done) },
	})
	decode := func(m wire.Message) (record.StartRequest, error) { return api.DecodeStartMessage(m, time.Now()) }
	compiler, err := definitions.NewCompiler()
	require.NoError(t, err)
	o.engine = engine.New(engine.Config{Compiler: compiler, Store: kept, Outbox: outbox, Queues: o.broker, DecodeStart: decode})
	config := api.Config{Engine: o.engine, Compiler: compiler, Reads: kept, Bulks: kept, Broker: o.broker, Keys: kept, Webhooks: kept, Auth: api.AuthNone, Version: "test"}
	config.QueueSet = func(ctx context.Context) { _ = outbox.Follow(ctx) }
	for _, c := range change {
		c(&config)
	}
	served := httptest.NewUnstartedServer(api.New(config))
	served.Config = api.NewServer("", served.Config.Handler, nil)
	served.Listener = api.LimitConnections(served.Listener, api.MaxConnections)
	served.Start()
	o.documented = documented(t, served.Config.Handler)
	o.url, o.client = served.URL, served.Client()

	ctx, stop := context.WithCancel(context.Background())
	parts.Go(func() { outbox.Run(ctx) })
	parts.Go(func() { o.engine.Run(ctx, time.Second) })
	bulk := operate.NewBulk(operate.Config{
		Bulks: kept, Holder: "test", Look: 5 * time.Millisecond,
		Targets: map[record.BulkKind]operate.Targets{
			record.BulkSagas: operate.OnSagas(o.engine), record.BulkDeadLetters: operate.OnDeadLetters(o.engine, kept),
		},
	})
	parts.Go(func() { bulk.Run(ctx) })
	parts.Go(func() {
		o.broker.ConsumeReplies(ctx, func(m wire.Message, settle func(bool)) { o.engine.ReceiveReply(ctx, m, settle) })
	})
	parts.Go(func() {
		o.broker.ConsumeDead(ctx, func(m wire.Message, settle func(bool)) { o.engine.ReceiveDead(ctx, m, settle) })
	})
	t.Cleanup(func() {
		served.CloseClientConnections()
		served.Close()
		stop()
		parts.Wait()
		require.NoError(t, kept.Close())
	})
	return o
}

// worker answers commands in the queue work until the test ends.
func (o *orchestrator) worker(answer func(wire.Delivery) wire.Reply) {
	ctx, stop := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		_ = o.broker.Receive(ctx, "work", 10, func(message wire.Message) wire.Answer {
			delivery, err := wire.DecodeCommand(message)
			if err != nil {
				return wire.Answer{Settlement: wire.Rejected}
			}
			body, err := answer(delivery).Encode()
			if err != nil {
				return wire.Answer{Settlement: wire.Rejected}
			}
			return wire.Answer{Settlement: wire.Replied, Reply: body}
		})
	})
	o.t.Cleanup(func() { stop(); working.Wait() })
}

func succeed(wire.Delivery) wire.Reply { return wire.Succeeded(nil) }

// answer is a response with its body.
type answer struct {
	*http.Response
	t       *testing.T
	content []byte
}

type header struct{ name, value string }

// send sends a request. A body is JSON unless a header names another type.
func (o *orchestrator) send(method, path, body string, headers ...header) answer {
	o.t.Helper()
	return o.sendWithin(context.Background(), method, path, body, headers...)
}

func (o *orchestrator) sendWithin(ctx context.Context, method, path, body string, headers ...header) answer {
	o.t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, o.url+path, strings.NewReader(body))
	require.NoError(o.t, err)
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if o.key != "" {
		request.Header.Set("Authorization", "Bearer "+o.key)
	}
	for _, h := range headers {
		request.Header.Del(h.name)
	}
	for _, h := range headers {
		if h.value != "" {
			request.Header.Add(h.name, h.value)
		}
	}
	response, err := o.client.Do(request)
	require.NoError(o.t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	require.NoError(o.t, err)
	o.checkDocumented(method, response)
	return answer{Response: response, t: o.t, content: content}
}

func (o *orchestrator) get(path string, headers ...header) answer {
	o.t.Helper()
	return o.send(http.MethodGet, path, "", headers...)
}

func (o *orchestrator) post(path, body string, headers ...header) answer {
	o.t.Helper()
	return o.send(http.MethodPost, path, body, headers...)
}

// into decodes the body of an answer with that status.
func into[T any](a answer, status int) T {
	a.t.Helper()
	require.Equal(a.t, status, a.StatusCode, "%s", a.content)
	var value T
	require.NoError(a.t, json.Unmarshal(a.content, &value), "%s", a.content)
	return value
}

// problem asserts a problem document with the status and code.
func (a answer) problem(status int, code string) resource.Problem {
	a.t.Helper()
	found := into[resource.Problem](a, status)
	require.Equal(a.t, "application/problem+json", a.Header.Get("Content-Type"))
	require.Equal(a.t, code, found.Code, "%s", a.content)
	require.Equal(a.t, status, found.Status)
	return found
}

// saga asserts that the answer is a saga.
func (a answer) saga(status int) resource.Saga {
	a.t.Helper()
	return into[resource.Saga](a, status)
}

// define registers a definition whose steps all use the queue work.
func (o *orchestrator) define(name string, steps ...string) {
	o.t.Helper()
	a := o.send(http.MethodPut, "/v1/definitions/"+name, `{"steps":[`+strings.Join(steps, ",")+`]}`)
	require.Contains(o.t, []int{http.StatusOK, http.StatusCreated}, a.StatusCode, "%s", a.content)
}

// Steps for definitions.
const (
	reserve = `{"name":"reserve","queue":"work","command":"inventory.reserve","compensation":"inventory.release"}`
	charge  = `{"name":"charge","queue":"work","command":"payments.charge","compensation":"payments.refund"}`
	receipt = `{"name":"receipt","queue":"work","command":"email.receipt","kind":"retriable","retry":{"max_attempts":1}}`
)

// begin starts a saga and returns it.
func (o *orchestrator) begin(body string, headers ...header) resource.Saga {
	o.t.Helper()
	return o.post("/v1/sagas", body, headers...).saga(http.StatusCreated)
}

// until waits until wanted returns true for the saga.
func (o *orchestrator) until(id string, wanted func(resource.Saga) bool) resource.Saga {
	o.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	now := o.get("/v1/sagas/" + id).saga(http.StatusOK)
	for !wanted(now) {
		path := "/v1/sagas/" + id + "?wait=10s&since=" + etagNumber(now.Revision)
		now = o.sendWithin(ctx, http.MethodGet, path, "").saga(http.StatusOK)
	}
	return now
}

func (o *orchestrator) untilStatus(id string, status saga.Status) resource.Saga {
	o.t.Helper()
	return o.until(id, func(s resource.Saga) bool { return s.Status == status })
}

func etagNumber(revision int64) string {
	text, _ := json.Marshal(revision) // a number
	return string(bytes.TrimSpace(text))
}
