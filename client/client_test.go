package client_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const orderSaga = `{"steps":[
	{"name":"reserve","queue":"stock","command":"stock.reserve","compensation":"stock.release"},
	{"name":"receipt","queue":"mail","command":"mail.receipt","kind":"pivot"},
	{"name":"report","queue":"mail","command":"mail.report","kind":"retriable"}]}`

// orchestrator runs an orchestrator in this process, with simulated workers and the definition order.
func orchestrator(t *testing.T) *client.Client {
	t.Helper()
	running, err := server.Open(t.Context(), server.Config{Listen: "127.0.0.1:0", Auth: "none", SimulateWorkers: true})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { assert.NoError(t, running.Run(ctx)) })
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		stop()
		parts.Wait()
	})
	c := client.New(client.Config{Server: running.URL() + "/", HTTP: &http.Client{Transport: transport}})
	_, err = c.PutDefinition(t.Context(), "order", []byte(orderSaga))
	require.NoError(t, err)
	return c
}

func order(data string) client.StartRequest {
	return client.StartRequest{
		Definition: "order", Data: []byte(data), Wait: 20 * time.Second,
	}
}

func TestSagasAreStartedAndFound(t *testing.T) {
	t.Parallel()
	c, ctx := orchestrator(t), t.Context()
	request := order(`{"n":1}`)
	request.IdempotencyKey, request.Key, request.Labels = "k1", "order-1", map[string]string{"region": "eu"}
	request.Deadline = time.Hour
	done, err := c.Start(ctx, request)
	require.NoError(t, err)
	assert.Equal(t, saga.Completed, done.Status)
	again, err := c.Start(ctx, request)
	require.NoError(t, err)
	assert.Equal(t, done.ID, again.ID)

	found, err := c.Saga(ctx, done.ID)
	require.NoError(t, err)
	assert.Equal(t, done.Revision, found.Revision)
	list, err := c.Sagas(ctx, client.Filter{
		Definition: new("order"), Version: new(1), Statuses: []saga.Status{saga.Completed}, Key: new("order-1"),
		Labels:       map[string]string{"region": "eu"},
		CreatedAfter: new(done.CreatedAt.Add(-time.Second)), CreatedBefore: new(done.CreatedAt.Add(time.Second)),
	}, client.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	history, err := c.History(ctx, done.ID)
	require.NoError(t, err)
	assert.Equal(t, saga.EntryCompleted, history[len(history)-1].Type)
	why, err := c.Why(ctx, done.ID)
	require.NoError(t, err)
	assert.Equal(t, resource.CauseDone, why.Cause)
	waited, err := c.Wait(ctx, done.ID, 1, time.Minute)
	require.NoError(t, err)
	assert.Equal(t, saga.Completed, waited.Status)
}

func TestEmptyFiltersAreSent(t *testing.T) {
	t.Parallel()
	c, ctx := orchestrator(t), t.Context()
	_, err := c.Start(ctx, order(`{"n":1}`))
	require.NoError(t, err)
	for name, filter := range map[string]client.Filter{
		"definition": {Definition: new("")}, "version": {Version: new(0)}, "key": {Key: new("")}, "label": {Labels: map[string]string{}},
		"status": {Statuses: []saga.Status{}}, "attention_reason": {AttentionReasons: []saga.AttentionReason{}},
	} {
		_, err := c.Sagas(ctx, filter, client.Page{})
		var problem *client.Problem
		require.ErrorAs(t, err, &problem, name)
		assert.Equal(t, resource.CodeInvalidParameter, problem.Code)
		assert.Equal(t, name, problem.Errors[0].Parameter)
	}
	early, err := c.Sagas(ctx, client.Filter{CreatedBefore: new(time.Time{})}, client.Page{})
	require.NoError(t, err)
	assert.Empty(t, early.Items, "no saga was created before the year 1")
	all, err := c.Sagas(ctx, client.Filter{CreatedAfter: new(time.Time{})}, client.Page{})
	require.NoError(t, err)
	assert.Len(t, all.Items, 1)
}

func TestAStuckSagaIsRepaired(t *testing.T) {
	t.Parallel()
	c, ctx := orchestrator(t), t.Context()
	stuck, err := c.Start(ctx, order(`{"simulate":{"report":"broken"}}`))
	require.NoError(t, err)
	require.Equal(t, saga.Stuck, stuck.Status)

	_, err = c.Retry(ctx, stuck.ID, client.ActionOptions{Reason: "too early", Revision: stuck.Revision + 1})
	var problem *client.Problem
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, resource.CodeRevisionMoved, problem.Code)

	patched, err := c.PatchData(ctx, stuck.ID, []byte(`{"simulate":null}`), client.ActionOptions{Reason: "repaired", Revision: stuck.Revision})
	require.NoError(t, err)
	assert.JSONEq(t, `{}`, string(patched.Data))
	_, err = c.Retry(ctx, stuck.ID, client.ActionOptions{Step: "report", Reason: "repaired"})
	require.NoError(t, err)
	var statuses []saga.Status
	for s, err := range c.Watch(ctx, stuck.ID) {
		require.NoError(t, err)
		statuses = append(statuses, s.Status)
	}
	assert.Equal(t, saga.Completed, statuses[len(statuses)-1], "a watch ends with the saga")

	stuck, err = c.Start(ctx, order(`{"simulate":{"report":"broken"}}`))
	require.NoError(t, err)
	skipped, err := c.Skip(ctx, stuck.ID, client.ActionOptions{Step: "report", Output: []byte(`{"by":"hand"}`), Reason: "done by hand"})
	require.NoError(t, err)
	assert.Equal(t, saga.Completed, skipped.Status)
}

func TestOtherCalls(t *testing.T) {
	t.Parallel()
	c, ctx := orchestrator(t), t.Context()
	later := client.StartRequest{Definition: "order", StartAt: time.Now().Add(time.Hour)}
	scheduled, err := c.Start(ctx, later)
	require.NoError(t, err)
	assert.Equal(t, saga.Scheduled, scheduled.Status)
	paused, err := c.Pause(ctx, scheduled.ID, client.ActionOptions{})
	require.NoError(t, err)
	assert.Equal(t, saga.Paused, paused.Status)
	_, err = c.Resume(ctx, scheduled.ID, client.ActionOptions{Reason: "looked at"})
	require.NoError(t, err)
	cancelled, err := c.Compensate(ctx, scheduled.ID, client.ActionOptions{Reason: "cancelled"})
	require.NoError(t, err)
	assert.Equal(t, saga.Compensated, cancelled.Status)

	other, err := c.Start(ctx, later)
	require.NoError(t, err)
	_, err = c.Pause(ctx, other.ID, client.ActionOptions{Step: "reserve"})
	var problem *client.Problem
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, resource.CodeUnknownField, problem.Code, "an option that does not apply is refused")
	_, err = c.Acknowledge(ctx, other.ID, client.ActionOptions{Reason: "nothing late"})
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, http.StatusConflict, problem.Status)
	assert.Contains(t, problem.AllowedActions, saga.ActionAbandon)
	abandoned, err := c.Abandon(ctx, other.ID, client.ActionOptions{Reason: "by hand"})
	require.NoError(t, err)
	assert.Equal(t, saga.Abandoned, abandoned.Status)

	definition, err := c.Definition(ctx, "order", 0)
	require.NoError(t, err)
	assert.Equal(t, 1, definition.Version)
	_, err = c.Definition(ctx, "order", 1)
	require.NoError(t, err)
	definitions, err := c.Definitions(ctx, client.Page{})
	require.NoError(t, err)
	assert.Len(t, definitions.Items, 1)
	versions, err := c.DefinitionVersions(ctx, "order")
	require.NoError(t, err)
	assert.Len(t, versions.Items, 1)
	_, err = c.PutDefinition(ctx, "order", []byte(`{"steps":[]}`))
	require.ErrorAs(t, err, &problem)
	assert.NotEmpty(t, problem.Errors)

	queues, err := c.Queues(ctx)
	require.NoError(t, err)
	assert.Len(t, queues.Items, 2)
	stats, err := c.Stats(ctx)
	require.NoError(t, err)
	assert.EqualValues(t, 1, stats.Sagas["order"][saga.Abandoned])
	letters, err := c.DeadLetters(ctx, client.Page{})
	require.NoError(t, err)
	assert.Empty(t, letters.Items)
	_, err = c.DeadLetter(ctx, "none/at all")
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, resource.CodeDeadLetterNotFound, problem.Code)

	key, err := c.CreateKey(ctx, resource.NewKey{Name: "ci", Role: "viewer"})
	require.NoError(t, err)
	assert.NotEmpty(t, key.Secret)
	require.NoError(t, c.RevokeKey(ctx, key.ID))
	keys, err := c.Keys(ctx)
	require.NoError(t, err)
	assert.NotNil(t, keys.Items[0].RevokedAt)
	ready, err := c.Ready(ctx)
	require.NoError(t, err)
	assert.Equal(t, "ok", ready.Status)
}

// flaky returns a client of a server that answers 503 a number of times, then succeeds.
func flaky(t *testing.T, failures int64) (*client.Client, *atomic.Int64) {
	t.Helper()
	var calls atomic.Int64
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) <= failures {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"code":"unavailable","status":503}`))
			return
		}
		_, _ = w.Write([]byte(`{"id":"1"}`))
	}))
	t.Cleanup(served.Close)
	return client.New(client.Config{Server: served.URL, HTTP: served.Client(), Backoff: time.Millisecond}), &calls
}

func TestOnlyRepeatableCallsAreRetried(t *testing.T) {
	t.Parallel()
	c, calls := flaky(t, 2)
	_, err := c.Saga(t.Context(), "1")
	require.NoError(t, err)
	assert.EqualValues(t, 3, calls.Load(), "a read is retried")

	c, calls = flaky(t, 2)
	_, err = c.Start(t.Context(), client.StartRequest{IdempotencyKey: "k"})
	require.NoError(t, err)
	assert.EqualValues(t, 3, calls.Load(), "a start with an idempotency key is retried")

	for name, call := range map[string]func(*client.Client) error{
		"a start without a key": func(c *client.Client) error {
			_, err := c.Start(t.Context(), client.StartRequest{})
			return err
		},
		"an action": func(c *client.Client) error { _, err := c.Pause(t.Context(), "1", client.ActionOptions{}); return err },
	} {
		c, calls = flaky(t, 2)
		var problem *client.Problem
		require.ErrorAs(t, call(c), &problem, name)
		assert.Equal(t, http.StatusServiceUnavailable, problem.Status)
		assert.EqualValues(t, 1, calls.Load(), name)
	}

	c, calls = flaky(t, 99)
	_, err = c.Saga(t.Context(), "1")
	require.Error(t, err)
	assert.EqualValues(t, 3, calls.Load(), "the number of attempts is limited")
}

func TestAnErrorWithoutAProblemDocument(t *testing.T) {
	t.Parallel()
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<html>Bad Gateway", http.StatusBadGateway)
	}))
	t.Cleanup(served.Close)
	_, err := client.New(client.Config{Server: served.URL, HTTP: served.Client()}).Saga(t.Context(), "1")
	var problem *client.Problem
	require.ErrorAs(t, err, &problem)
	assert.Equal(t, http.StatusBadGateway, problem.Status)
	assert.Equal(t, "http_502", problem.Code)
}

func TestAnUnreachableServerIsAnError(t *testing.T) {
	t.Parallel()
	c := client.New(client.Config{Server: "http://127.0.0.1:1", Backoff: time.Millisecond})
	_, err := c.Saga(t.Context(), "1")
	require.Error(t, err)
	for _, err := range c.Watch(t.Context(), "1") {
		require.Error(t, err)
	}
}

func TestAWatchReconnects(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch connections.Add(1) {
		case 1:
			_, _ = w.Write([]byte(": watching\n\nevent: saga\nid: 4\ndata: {\"revision\":4,\"status\":\"running\"}\n\n"))
		default:
			assert.Equal(t, "4", r.Header.Get("Last-Event-ID"))
			_, _ = w.Write([]byte("event: saga\nid: 5\ndata: {\"revision\":5,\"status\":\"completed\"}\n\n"))
		}
	}))
	t.Cleanup(served.Close)
	c := client.New(client.Config{Server: served.URL, HTTP: served.Client(), Backoff: time.Millisecond})
	var revisions []int64
	for s, err := range c.Watch(t.Context(), "1") {
		require.NoError(t, err)
		revisions = append(revisions, s.Revision)
	}
	assert.Equal(t, []int64{4, 5}, revisions)
}

func TestABusyServerIsRetriedAfterRetryAfter(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 1 {
			w.Header().Set("Content-Type", "application/problem+json")
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = w.Write([]byte(`{"code":"busy","status":503}`))
			return
		}
		_, _ = w.Write([]byte(`{"id":"1"}`))
	}))
	defer server.Close()
	began := time.Now()
	_, err := client.New(client.Config{Server: server.URL, Backoff: time.Millisecond}).Start(t.Context(), order(`{}`))
	require.NoError(t, err, "a busy server has not begun, so even a start without a key is retried")
	assert.EqualValues(t, 2, asked.Load())
	assert.GreaterOrEqual(t, time.Since(began), time.Second)
}
