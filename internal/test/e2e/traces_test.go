package e2e

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	otlp "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// spans is an OpenTelemetry collector.
type spans struct {
	*httptest.Server
	mu  sync.Mutex
	all map[string]*otlp.Span // by span id
}

func newSpans(t *testing.T) *spans {
	t.Helper()
	s := &spans{all: make(map[string]*otlp.Span)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body io.Reader = r.Body
		if r.Header.Get("Content-Encoding") == "gzip" {
			zipped, err := gzip.NewReader(r.Body)
			if !assert.NoError(t, err) {
				return
			}
			body = zipped
		}
		var content bytes.Buffer
		var request collector.ExportTraceServiceRequest
		if _, err := content.ReadFrom(body); err != nil || !assert.NoError(t, proto.Unmarshal(content.Bytes(), &request)) {
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, service := range request.GetResourceSpans() {
			for _, scope := range service.GetScopeSpans() {
				for _, span := range scope.GetSpans() {
					s.all[hex.EncodeToString(span.GetSpanId())] = span
				}
			}
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// named returns the spans of a trace by name.
func (s *spans) named(trace string) map[string][]*otlp.Span {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make(map[string][]*otlp.Span)
	for _, span := range s.all {
		if hex.EncodeToString(span.GetTraceId()) == trace {
			found[span.GetName()] = append(found[span.GetName()], span)
		}
	}
	return found
}

// A saga is one trace, that of the caller: from its start through the command's header to the reply, with a span for each
// attempt.
func TestASagaIsOneTrace(t *testing.T) {
	t.Parallel()
	const trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	fx := newFixture(t)
	received := newSpans(t)
	address := freeAddress(t)
	start(t, append(fx.environment, "OTEL_EXPORTER_OTLP_ENDPOINT="+received.URL, "OTEL_BSP_SCHEDULE_DELAY=200"),
		filepath.Join(fx.programs, "orchestrator"), "serve", "--migrate", "--auth", "none", "--listen", address)
	a := &api{t: t, base: "http://" + address}
	a.ready()
	a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/traced", map[string]any{"steps": []any{
		map[string]any{"name": "reserve", "queue": "inventory", "command": "a.do", "compensation": "a.release"},
		map[string]any{"name": "charge", "queue": "inventory", "command": "b.do", "retry": map[string]any{"max_attempts": 2, "initial_interval": "10ms"}},
	}}, nil)
	var mu sync.Mutex
	parents := make(map[string]string) // command → traceparent
	work := steps.NewWorker("inventory", steps.Config{})
	for _, name := range []string{"a.do", "a.release", "b.do"} {
		steps.Handle(work, name, func(_ context.Context, c steps.Command[struct{}]) (struct{}, error) {
			mu.Lock()
			defer mu.Unlock()
			parents[c.ID] = c.TraceParent
			if name == "b.do" {
				return struct{}{}, steps.Retry("down", "try again")
			}
			return struct{}{}, nil
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() {
		assert.NoError(t, work.Run(ctx, steps.AMQP(steps.AMQPConfig{URL: fx.amqpURL(), Prefix: fx.prefix})))
	})
	t.Cleanup(func() { cancel(); working.Wait() })

	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.base+"/v1/sagas", strings.NewReader(`{"definition":"traced"}`))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Traceparent", "00-"+trace+"-"+parent+"-01")
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusCreated, answer.StatusCode)
	id := filepath.Base(answer.Header.Get("Location"))

	var found map[string][]*otlp.Span
	require.Eventually(t, func() bool {
		found = received.named(trace)
		return len(found["saga traced"]) == 1
	}, settled, 50*time.Millisecond)
	root := found["saga traced"][0]
	assert.Equal(t, parent, hex.EncodeToString(root.GetParentSpanId()))
	require.Len(t, found["execute reserve"], 1)
	require.Len(t, found["execute charge"], 2, "two attempts")
	require.Len(t, found["compensate reserve"], 1)
	mu.Lock()
	sent := maps.Clone(parents)
	mu.Unlock()
	for _, one := range found {
		for _, span := range one {
			if span == root {
				continue
			}
			assert.Equal(t, root.GetSpanId(), span.GetParentSpanId(), span.GetName())
			command := attribute(span, "saga.command")
			assert.Equal(t, "00-"+trace+"-"+hex.EncodeToString(span.GetSpanId())+"-01", sent[command], "the worker got the span %s", command)
			assert.LessOrEqual(t, root.GetStartTimeUnixNano(), span.GetStartTimeUnixNano())
			assert.GreaterOrEqual(t, root.GetEndTimeUnixNano(), span.GetEndTimeUnixNano())
		}
	}
	compensation := found["compensate reserve"][0]
	require.Len(t, compensation.GetLinks(), 1)
	assert.Equal(t, found["execute reserve"][0].GetSpanId(), compensation.GetLinks()[0].GetSpanId())
	links := 0
	for _, attempt := range found["execute charge"] {
		assert.Equal(t, otlp.Status_STATUS_CODE_ERROR, attempt.GetStatus().GetCode())
		links += len(attempt.GetLinks())
	}
	assert.Equal(t, 1, links, "the second attempt links to the first")
	assert.Equal(t, id, attribute(root, "saga.id"))
	var other resource.Saga
	a.must(http.StatusCreated, http.MethodPost, "/v1/sagas", map[string]any{"definition": "traced"}, &other)
	a.ends([]string{other.ID})
	assert.Len(t, received.named(trace)["saga traced"], 1, "another saga is another trace")
}

func attribute(span *otlp.Span, key string) string {
	for _, one := range span.GetAttributes() {
		if one.GetKey() == key {
			return one.GetValue().GetStringValue()
		}
	}
	return ""
}
