package api_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

func (o *orchestrator) setQueue(body string) resource.Queue {
	o.t.Helper()
	return into[resource.Queue](o.send(http.MethodPatch, "/v1/queues/work", body), http.StatusOK)
}

// why waits for a cause.
func (o *orchestrator) why(id, cause string) (why resource.Why) {
	o.t.Helper()
	require.Eventually(o.t, func() bool {
		why = into[resource.Why](o.get("/v1/sagas/"+id+"/why"), http.StatusOK)
		return why.Cause == cause
	}, 20*time.Second, 5*time.Millisecond)
	return why
}

func TestRule17AQueueIsPausedAndResumed(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve, charge)
	set := o.setQueue(`{"paused":true}`)
	assert.True(t, set.Paused)
	assert.Nil(t, set.MaxOut)
	first, second := o.begin(`{"definition":"order","deadline":"1h"}`), o.begin(`{"definition":"order","priority":9}`)
	o.worker(succeed)
	why := o.why(first.ID, resource.CauseHeldBack)
	assert.Contains(t, why.Message, "Queue work is paused")
	assert.Contains(t, why.Message, "One command leaves before it.")
	assert.Equal(t, "the saga's deadline passes", why.NextAutomatic.What, "the time of the attempt does not run")
	assert.EqualValues(t, 1, *why.Evidence.Outbox.Before)
	assert.True(t, why.Evidence.Queue.Paused)
	assert.NotNil(t, why.Since)
	assert.Nil(t, o.why(second.ID, resource.CauseHeldBack).NextAutomatic, "a pause does not end by itself")

	queue := into[resource.QueueDetails](o.get("/v1/queues/work"), http.StatusOK)
	assert.Equal(t, []int64{0, 0, 2}, []int64{*queue.CommandsOut, *queue.Unpublished, *queue.HeldBack})
	assert.NotNil(t, queue.Samples)
	stats := into[resource.Stats](o.get("/v1/stats"), http.StatusOK)
	assert.Equal(t, []int64{0, 2}, []int64{stats.Outbox.Pending, stats.Outbox.HeldBack})
	assert.Nil(t, stats.Outbox.Oldest)

	assert.False(t, o.setQueue(`{"paused":null}`).Paused)
	o.untilStatus(first.ID, saga.Completed)
	o.untilStatus(second.ID, saga.Completed)
}

func TestRule17ACapAndARateHoldBack(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve, charge)
	set := o.setQueue(`{"max_out":1,"rate":100}`)
	assert.Equal(t, 1, *set.MaxOut)
	assert.InDelta(t, 100, *set.Rate, 0)
	first := o.begin(`{"definition":"order"}`)
	require.Eventually(t, func() bool {
		return *into[resource.Queue](o.get("/v1/queues/work"), http.StatusOK).CommandsOut == 1
	}, 20*time.Second, 5*time.Millisecond)
	second := o.begin(`{"definition":"order"}`)
	why := o.why(second.ID, resource.CauseHeldBack)
	assert.Contains(t, why.Message, "lets 1 commands out at a time, at most 100 a second")
	require.NotNil(t, why.NextAutomatic)
	assert.Nil(t, why.NextAutomatic.At)
	o.worker(succeed)
	o.untilStatus(first.ID, saga.Completed)
	o.untilStatus(second.ID, saga.Completed)
	set = o.setQueue(`{"max_out":null}`)
	assert.Nil(t, set.MaxOut)
	assert.NotNil(t, set.Rate, "an absent member changes nothing")
	assert.Nil(t, o.setQueue(`{"rate":null}`).Rate)
}

func TestRule17ARateIsKept(t *testing.T) {
	t.Parallel()
	const sagas, rate = 60, 40
	o := start(t)
	o.define("order", reserve)
	var mu sync.Mutex
	var came []time.Time
	o.worker(func(wire.Delivery) wire.Reply {
		mu.Lock()
		defer mu.Unlock()
		came = append(came, time.Now())
		return wire.Succeeded(nil)
	})
	o.setQueue(`{"rate":40}`)
	for range sagas {
		o.begin(`{"definition":"order"}`)
	}
	require.Eventually(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(came) == sagas }, 20*time.Second, 5*time.Millisecond)
	took := came[sagas-1].Sub(came[0])
	ideal := sagas * time.Second / rate
	assert.Greater(t, took, ideal*7/10)
	assert.Less(t, took, ideal*2)
}

func TestSettingsOfQueuesAreChecked(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	for body, pointer := range map[string]string{
		`{"max_out":0}`: "/max_out", `{"max_out":10001}`: "/max_out", `{"max_out":1.5}`: "/max_out", `{"max_out":"5"}`: "/max_out",
		`{"rate":0}`: "/rate", `{"rate":-1}`: "/rate", `{"rate":100001}`: "/rate", `{"rate":0.001}`: "/rate", `{"paused":1}`: "/paused",
	} {
		found := o.send(http.MethodPatch, "/v1/queues/work", body).problem(http.StatusUnprocessableEntity, resource.CodeInvalidField)
		assert.Equal(t, pointer, found.Errors[0].Pointer, body)
	}
	o.send(http.MethodPatch, "/v1/queues/work", `{"pause":true}`).problem(http.StatusUnprocessableEntity, resource.CodeUnknownField)
	o.send(http.MethodPatch, "/v1/queues/other", `{"paused":true}`).problem(http.StatusNotFound, resource.CodeQueueNotFound)
	o.get("/v1/queues/other").problem(http.StatusNotFound, resource.CodeQueueNotFound)
	queue := o.setQueue(`{}`)
	assert.False(t, queue.Paused)
}

func TestAQueueThatHasOnlySettingsLosesThem(t *testing.T) {
	t.Parallel()
	o := start(t)
	o.define("order", reserve)
	assert.True(t, o.setQueue(`{"paused":true}`).Paused)
	o.define("order", `{"name":"reserve","command":"other.reserve"}`)
	assert.True(t, into[resource.Queue](o.get("/v1/queues/work"), http.StatusOK).Paused)
	assert.False(t, o.setQueue(`{"paused":false}`).Paused)
	o.get("/v1/queues/work").problem(http.StatusNotFound, resource.CodeQueueNotFound)
}
