package e2e

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// receiver is a webhook's server. It remembers which events came, by type and saga.
type receiver struct {
	*httptest.Server
	mu  sync.Mutex
	got map[string]map[string]int // type → subject → times
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{got: make(map[string]map[string]int)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			return // the sender was killed
		}
		event, err := wire.DecodeEvent(body)
		assert.NoError(t, err)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.got[event.Type] == nil {
			r.got[event.Type] = make(map[string]int)
		}
		r.got[event.Type][event.Subject]++
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) has(eventType, subject string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.got[eventType][subject] > 0
}

// types returns the number of types of events that came.
func (r *receiver) types() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got)
}

// Every replica is killed under load, and a receiver that hangs is there too: a webhook gets each of its events.
func TestNoWebhookIsLostWhenReplicasAreKilled(t *testing.T) {
	t.Parallel()
	fx := newFixture(t)
	address := freeAddress(t)
	serving, a := fx.serve(address)
	fx.workers()
	putOrderDefinition(t, a)
	good := newReceiver(t)
	released := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		select {
		case <-released:
		case <-request.Context().Done():
		}
	}))
	t.Cleanup(func() { close(released); hanging.Close() })
	ends := []string{"saga.completed", "saga.compensated"}
	for name, url := range map[string]string{"good": good.URL, "hanging": hanging.URL} {
		var made resource.Webhook
		a.must(http.StatusCreated, http.MethodPut, "/v1/webhooks/"+name, map[string]any{"url": url, "events": ends}, &made)
		require.NotEmpty(t, made.Secret)
	}
	number := 10_000
	require.Eventually(t, func() bool { // the webhook is known everywhere once an event has come
		number++
		a.startOrder(number)
		return good.types() > 0
	}, settled, 200*time.Millisecond)
	ids := startOrders(a, func() {
		serving.kill()
		serving, _ = fx.serve(address)
	})
	serving.kill()
	serving, _ = fx.serve(address)
	for id, end := range a.ends(ids) {
		require.Eventually(t, func() bool { return good.has("saga."+string(end.Status), id) }, settled, 20*time.Millisecond, "%s %s", id, end.Status)
	}
	var shown resource.Webhook
	a.must(http.StatusOK, http.MethodGet, "/v1/webhooks/hanging", nil, &shown)
	assert.Positive(t, shown.Waiting, "they wait for the receiver that hangs")
}
