package client_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	sagaRunning = `{"id":"s1","revision":4,"status":"running"}`
	sagaPaused  = `{"id":"s1","revision":5,"status":"paused"}`
	sagaDone    = `{"id":"s1","revision":6,"status":"completed"}`
)

func TestARunSurvivesBrokenConnections(t *testing.T) {
	t.Parallel()
	var keys atomic.Value
	first := func(w http.ResponseWriter, r *http.Request) {
		keys.Store(r.Header.Get("Idempotency-Key"))
		cut(`{"id":`)(w, r)
	}
	again := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Idempotency-Key") != keys.Load() {
			replies(http.StatusConflict, `{"code":"other_key"}`)(w, r)
			return
		}
		replies(http.StatusCreated, sagaRunning)(w, r)
	}
	next := []http.HandlerFunc{first, again, replies(http.StatusOK, sagaRunning), replies(http.StatusOK, sagaPaused)}
	for range 5 { // more than the attempts of one call
		next = append(next, cut(`{"id"`), replies(http.StatusServiceUnavailable, unavailable), replies(http.StatusBadGateway, "a proxy"))
	}
	c, requests := answering(t, client.Config{}, append(next, replies(http.StatusOK, sagaDone))...)
	end, err := c.Run(t.Context(), client.StartRequest{Definition: "order"})
	require.NoError(t, err)
	require.Equal(t, saga.Completed, end.Status)
	require.Equal(t, int64(len(next)+1), requests.Load())
	require.NotEmpty(t, keys.Load())
}

func TestARunNamesTheFailedStep(t *testing.T) {
	t.Parallel()
	run := func(answer string) error {
		c, _ := answering(t, client.Config{}, replies(http.StatusCreated, sagaRunning), replies(http.StatusOK, answer))
		end, err := c.Run(t.Context(), client.StartRequest{Definition: "order", IdempotencyKey: "k"})
		require.Equal(t, "s1", end.ID)
		return err
	}
	err := run(`{"id":"s1","status":"compensated","failure":{"step":"charge","code":"card_declined","message":"no funds"}}`)
	failed, is := errors.AsType[*client.Failed](err)
	require.True(t, is)
	assert.Equal(t, []string{"charge", "card_declined", "no funds", "s1"}, []string{failed.Step, failed.Code, failed.Message, failed.Saga.ID})
	require.EqualError(t, err, "saga s1 was compensated: step charge failed: card_declined: no funds")
	require.EqualError(t, run(`{"id":"s1","status":"compensated","failure":{"step":null,"code":"deadline_exceeded","message":"too late"}}`),
		"saga s1 was compensated: deadline_exceeded: too late")

	err = run(`{"id":"s1","status":"stuck","attention":{"reason":"pivot_unknown","step":"confirm","message":"no reply"}}`)
	unresolved, is := errors.AsType[*client.Unresolved](err)
	require.True(t, is)
	assert.Equal(t, saga.AttentionReason("pivot_unknown"), unresolved.Reason)
	require.EqualError(t, err, "saga s1 needs an operator: pivot_unknown at step confirm: no reply")
	require.EqualError(t, run(`{"id":"s1","status":"abandoned","failure":null}`), "saga s1 was abandoned")
}

func TestARunEndsWithItsContextAndWithLastingErrors(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c, _ := answering(t, client.Config{}, replies(http.StatusCreated, sagaRunning), func(w http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	end, err := c.Run(ctx, client.StartRequest{Definition: "order"})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, saga.Running, end.Status, "as it was last seen")

	c, requests := answering(t, client.Config{}, replies(http.StatusCreated, sagaRunning),
		replies(http.StatusNotFound, `{"code":"saga_not_found"}`))
	_, err = c.Run(t.Context(), client.StartRequest{Definition: "order"})
	problem, is := errors.AsType[*client.Problem](err)
	require.True(t, is)
	require.Equal(t, "saga_not_found", problem.Code)
	require.Equal(t, int64(2), requests.Load())
}
