package api_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/local"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
	"github.com/saga-orchestrator/orchestrator/store/memory"
)

// counted is a database that counts its queries, with the answers of the test.
type counted struct {
	api.Reads
	pings    atomic.Int64
	ping     func(context.Context) error
	problems []record.QueueProblem
	backlog  record.Backlog
	sagas    []record.StoredSaga
}

func (c *counted) Ping(ctx context.Context) error {
	c.pings.Add(1)
	if c.ping != nil {
		return c.ping(ctx)
	}
	return nil
}

func (c *counted) QueueProblems(context.Context) ([]record.QueueProblem, error) {
	return c.problems, nil
}

func (c *counted) Backlog(context.Context) (record.Backlog, error) { return c.backlog, nil }

func (c *counted) Sagas(ctx context.Context, filter record.Filter, page record.Page) ([]record.StoredSaga, string, error) {
	if c.sagas != nil {
		return c.sagas, "", nil
	}
	return c.Reads.Sagas(ctx, filter, page)
}

// questioned is a broker that counts its requests.
type questioned struct {
	api.Broker
	asked atomic.Int64
	ready error

	deadLetters, unchecked bool // the answer of DeadLettering
	mismatched             []string
	slow                   chan struct{} // if set, Inspect waits for it or for the context
}

func (q *questioned) Ready() error { return q.ready }

func (q *questioned) Inspect(ctx context.Context, queues []string) (map[string]wire.QueueState, error) {
	q.asked.Add(1)
	if q.slow != nil {
		select {
		case <-q.slow:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return q.Broker.Inspect(ctx, queues)
}

func (q *questioned) Connections() map[string]error {
	return map[string]error{"publish": nil, "replies": errors.New("dial tcp 10.1.2.3:5672: refused for app:secret")}
}

func (q *questioned) DeadLettering() (works, known bool) { return q.deadLetters, !q.unchecked }

func (q *questioned) Mismatched() []string { return q.mismatched }

func newCounted(t *testing.T) (*counted, *questioned) {
	t.Helper()
	kept, err := memory.Open(memory.Config{})
	require.NoError(t, err)
	return &counted{Reads: kept}, &questioned{Broker: local.New()}
}

func probe(handler http.Handler, path string) (int, string) {
	w := httptest.NewRecorder()
	r, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, path, nil)
	handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// watched runs a monitor in a synctest bubble, and returns the API that uses it.
func watched(t *testing.T, reads *counted, broker *questioned, depth int) (handler http.Handler, stop func()) {
	t.Helper()
	registry := prometheus.NewRegistry()
	monitor := api.NewMonitor(api.MonitorConfig{Reads: reads, Broker: broker, MaxQueueDepth: depth, Version: "test", Registry: registry})
	handler = api.New(api.Config{Reads: reads, Broker: broker, Auth: api.AuthNone, Monitor: monitor, Registry: registry})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { monitor.Run(ctx) })
	synctest.Wait()
	return handler, func() { cancel(); running.Wait() }
}

func TestAProbeDoesNotQueryDatabaseOrBroker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads, broker := newCounted(t)
		handler, stop := watched(t, reads, broker, 5)
		defer stop()
		before, asked := reads.pings.Load(), broker.asked.Load()
		for range 1000 {
			status, body := probe(handler, "/readyz")
			require.Equal(t, http.StatusOK, status, body)
			status, _ = probe(handler, "/readyz?verbose")
			require.Equal(t, http.StatusOK, status)
		}
		assert.Equal(t, before, reads.pings.Load())
		assert.Equal(t, asked, broker.asked.Load())
		time.Sleep(10 * time.Second)
		synctest.Wait()
		assert.InDelta(t, 10, reads.pings.Load()-before, 1, "once a second, with or without probes")
	})
}

func TestReadinessChangesWithinSecondsAndExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads, broker := newCounted(t)
		var failure atomic.Pointer[error]
		reads.ping = func(ctx context.Context) error {
			if err := failure.Load(); err != nil {
				return *err
			}
			return ctx.Err()
		}
		handler, stop := watched(t, reads, broker, 0)
		readOnly := errors.New("read-only: 10.1.2.3 secret")
		failure.Store(&readOnly)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		status, body := probe(handler, "/readyz")
		assert.Equal(t, http.StatusServiceUnavailable, status)
		assert.Contains(t, body, `"database":"unreachable"`)
		assert.NotContains(t, body, "secret")
		failure.Store(nil)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		status, _ = probe(handler, "/readyz")
		assert.Equal(t, http.StatusOK, status)
		stop()
		time.Sleep(6 * time.Second)
		status, body = probe(handler, "/readyz")
		assert.Equal(t, http.StatusServiceUnavailable, status, "the last check is too old")
		assert.Contains(t, body, `"unknown"`)
	})
}

func TestAHangingDatabaseMakesTheProcessNotReady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads, broker := newCounted(t)
		reads.ping = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		handler, stop := watched(t, reads, broker, 0)
		defer stop()
		began := time.Now()
		status, _ := probe(handler, "/readyz")
		assert.Equal(t, http.StatusServiceUnavailable, status)
		assert.Zero(t, time.Since(began), "the probe does not wait")
		time.Sleep(3 * time.Second)
		synctest.Wait()
		status, body := probe(handler, "/readyz")
		assert.Equal(t, http.StatusServiceUnavailable, status)
		assert.Contains(t, body, "unreachable")
	})
}

func TestConcurrentCallersShareOneRequestToTheBroker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads, broker := newCounted(t)
		broker.slow = make(chan struct{})
		def, err := saga.ParseDefinition("order", 0, []byte(`{"steps":[`+reserve+`]}`))
		require.NoError(t, err)
		_, _, err = reads.Reads.(*memory.Store).PutDefinition(t.Context(), def)
		require.NoError(t, err)
		monitor := api.NewMonitor(api.MonitorConfig{Reads: reads, Broker: broker})
		handler := api.New(api.Config{Reads: reads, Broker: broker, Auth: api.AuthNone, Monitor: monitor, RequestTimeout: time.Minute})
		var callers sync.WaitGroup
		for range 100 {
			callers.Go(func() {
				ctx, leave := context.WithTimeout(context.Background(), 10*time.Millisecond)
				defer leave()
				r, _ := http.NewRequestWithContext(ctx, http.MethodGet, "/v1/queues", nil)
				handler.ServeHTTP(httptest.NewRecorder(), r)
			})
		}
		callers.Wait()
		close(broker.slow)
		synctest.Wait()
		assert.EqualValues(t, 1, broker.asked.Load(), "one request for all callers")
		_, body := probe(handler, "/v1/queues")
		assert.Contains(t, body, `"depth":0`, "the request continues after its callers have left: "+body)
		assert.EqualValues(t, 1, broker.asked.Load())
	})
}

func TestFaultsAreInTheDetailsAndTheMetrics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads, broker := newCounted(t)
		broken := record.StoredSaga{Instance: saga.Instance{ID: "01JD0000000000000000000000", Definition: "order", Version: 1, Status: saga.Running}, Unreadable: record.ErrUnreadable}
		def, err := saga.ParseDefinition("order", 0, []byte(`{"steps":[`+reserve+`]}`))
		require.NoError(t, err)
		_, _, err = reads.Reads.(*memory.Store).PutDefinition(t.Context(), def)
		require.NoError(t, err)
		edited := record.StoredSaga{Instance: saga.Instance{
			ID: "01JD0000000000000000000001", Definition: "order", Version: 1, Status: saga.Paused, Progress: saga.Progress{Phase: saga.PhaseForward, Steps: []saga.StepState{{Name: "reserve"}}},
		}}
		reads.sagas = []record.StoredSaga{broken, edited} // nothing is decided on either of them
		reads.problems = []record.QueueProblem{{Queue: "mail", Kind: record.QueueRefuses, Reason: "secret words", Since: time.Now(), RetryAt: time.Now().Add(time.Minute)}}
		reads.backlog = record.Backlog{OutboxPending: 7, OutboxOldest: time.Now().Add(-time.Minute), DeadLetters: map[string]int64{"reply": 3}}
		broker.ready = errors.New("dial tcp 10.1.2.3: refused")
		broker.mismatched = []string{"queue saga.replies"}
		handler, stop := watched(t, reads, broker, 0)
		defer stop()
		status, body := probe(handler, "/readyz?verbose")
		assert.Equal(t, http.StatusServiceUnavailable, status)
		for _, wanted := range []string{
			`"status":"unavailable"`, `"broker":"unreachable"`, `"queue":"mail","kind":"refuses"`, `"reply":3`, `"outbox_pending":7`,
			`"unreadable_sagas":2`, `"connections":{"publish":"ok","replies":"unreachable"}`, `"dead_lettering":"stopped"`, `"mismatched":["queue saga.replies"]`,
		} {
			assert.Contains(t, body, wanted)
		}
		for _, kept := range []string{"secret", "10.1.2.3"} {
			assert.NotContains(t, body, kept, "the details are public")
		}
		_, metrics := probe(handler, "/metrics")
		for _, wanted := range []string{
			"saga_broker_connected 0", "saga_broker_dead_lettering 0", "saga_database_connected 1", "saga_outbox_pending 7", "saga_outbox_oldest_seconds 60",
			`saga_dead_letters{source="reply"} 3`, `saga_dead_letters{source="command"} 0`, `saga_queue_problem{kind="refuses",queue="mail"} 1`,
			"saga_unreadable_sagas 2", "saga_unreadable_definitions 0", `saga_build_info{version="test"} 1`,
		} {
			assert.Contains(t, metrics, wanted+"\n")
		}
		plain, _ := probe(handler, "/readyz")
		assert.Equal(t, http.StatusServiceUnavailable, plain)
		status, _ = probe(handler, "/readyz?verbose=perhaps")
		assert.Equal(t, http.StatusUnprocessableEntity, status)
	})
}

// publicError is an error whose text anyone may read.
type publicError struct{}

func (publicError) Error() string { return "dial tcp 10.1.2.3" }

func (publicError) Public() string { return "the prefix belongs to another installation" }

type readOnly struct{ publicError }

func (readOnly) Public() string { return "the database is read-only" }

func TestReadinessSaysWhatMayBePublic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		reads, broker := newCounted(t)
		broker.ready = fmt.Errorf("10.1.2.3: %w", publicError{})
		reads.ping = func(context.Context) error { return fmt.Errorf("10.1.2.3: %w", readOnly{}) }
		handler, stop := watched(t, reads, broker, 0)
		defer stop()
		status, body := probe(handler, "/readyz")
		assert.Equal(t, http.StatusServiceUnavailable, status)
		assert.Contains(t, body, `"broker":"the prefix belongs to another installation"`)
		assert.Contains(t, body, `"database":"the database is read-only"`)
		assert.NotContains(t, body, "10.1.2.3")
	})
}

func TestDeadLetteringDoesNotFailReadiness(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		works, unchecked bool
		want, metric     string
	}{
		{true, false, "ok", "saga_broker_dead_lettering 1"},
		{false, false, "stopped", "saga_broker_dead_lettering 0"},
		{false, true, "unknown", "saga_broker_dead_lettering 1"},
	} {
		synctest.Test(t, func(t *testing.T) {
			reads, broker := newCounted(t)
			broker.deadLetters, broker.unchecked = c.works, c.unchecked
			handler, stop := watched(t, reads, broker, 0)
			defer stop()
			status, body := probe(handler, "/readyz?verbose")
			assert.Equal(t, http.StatusOK, status)
			assert.Contains(t, body, `"dead_lettering":"`+c.want+`"`)
			_, metrics := probe(handler, "/metrics")
			assert.Contains(t, metrics, c.metric+"\n")
		})
	}
}

func TestFaultsAreInTheMetricsOfTheServer(t *testing.T) {
	t.Parallel()
	o := start(t)
	into[resource.Health](o.get("/readyz"), http.StatusOK) // without Run the monitor checks on request
	metrics := string(o.get("/metrics").content)
	for _, wanted := range []string{
		"saga_broker_connected 1", "saga_database_connected 1", "saga_outbox_pending 0", "saga_outbox_oldest_seconds 0",
		`saga_dead_letters{source="reply"} 0`, `saga_dead_letters{source="command"} 0`, "saga_unreadable_sagas 0",
		"saga_unreadable_definitions 0", `saga_build_info{version="test"} 1`,
	} {
		assert.Contains(t, metrics, wanted+"\n")
	}
}
