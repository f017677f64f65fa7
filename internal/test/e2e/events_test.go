package e2e

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/steps"
)

// eventLog is what a subscriber has got: the events of each saga, in the order of their first arrival.
type eventLog struct {
	mu  sync.Mutex
	all map[string][]steps.Event
}

func (l *eventLog) take(_ context.Context, e steps.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[e.Subject] = append(l.all[e.Subject], e)
	return nil
}

func (l *eventLog) of(id string) (types []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.all[id] {
		types = append(types, e.Type)
	}
	return types
}

// sagas returns the number of sagas with events.
func (l *eventLog) sagas() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.all)
}

// subscribe starts a subscriber, which stays until the test ends.
func (fx *fixture) subscribe(name string, keys ...string) *eventLog {
	fx.t.Helper()
	log := &eventLog{all: make(map[string][]steps.Event)}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		transport := steps.AMQP(steps.AMQPConfig{URL: fx.amqpURL(), Prefix: fx.prefix})
		assert.NoError(fx.t, steps.Subscribe(ctx, transport, steps.Subscription{Name: name, Keys: keys}, log.take))
	})
	fx.t.Cleanup(func() { cancel(); running.Wait() })
	return log
}

// Two replicas publish every event, each is killed under load, and the subscriber loses none. Each comes once, and those of a
// saga come as its history has them.
func TestNoEventIsLostWhenReplicasAreKilled(t *testing.T) {
	t.Parallel()
	fx := newFixture(t)
	addresses := []string{freeAddress(t), freeAddress(t)}
	replicas := make([]*process, 2)
	serve := func(i int) *api {
		replicas[i] = start(t, fx.environment, filepath.Join(fx.programs, "orchestrator"), "serve", "--migrate", "--auth", "none",
			"--listen", addresses[i], "--events", "all")
		a := &api{t: t, base: "http://" + addresses[i]}
		a.ready()
		return a
	}
	serve(0)
	a := serve(1)
	fx.workers()
	putOrderDefinition(t, a)
	log := fx.subscribe("audit", "order.#")
	n := 10_000
	require.Eventually(t, func() bool { // the queue is bound once an event has come
		n++
		a.startOrder(n)
		return log.sagas() > 0
	}, settled, 100*time.Millisecond)
	ids := startOrders(a, func() {
		replicas[0].kill()
		serve(0)
	})
	replicas[0].kill()
	replicas[1].kill()
	serve(0)
	a = serve(1)
	a.ends(ids)
	for _, id := range ids {
		wanted := a.historyTypes(id)
		require.Eventually(t, func() bool { return len(log.of(id)) >= len(wanted) }, settled, 20*time.Millisecond, "saga %s", id)
		require.Equal(t, wanted, log.of(id), "saga %s", id)
	}
}

// historyTypes returns the types of a saga's history entries.
func (a *api) historyTypes(id string) (types []string) {
	a.t.Helper()
	var history struct {
		Items []struct {
			Type string `json:"type"`
		} `json:"items"`
	}
	a.must(200, "GET", "/v1/sagas/"+id+"/history?limit=500", nil, &history)
	for _, entry := range history.Items {
		types = append(types, entry.Type)
	}
	return types
}

// By default only the events of sagas themselves are published.
func TestByDefaultTheEventsOfSagasArePublished(t *testing.T) {
	t.Parallel()
	fx := newFixture(t)
	_, a := fx.serve(freeAddress(t))
	fx.workers()
	putOrderDefinition(t, a)
	log := fx.subscribe("billing", "order.saga.*")
	number := 1000
	require.Eventually(t, func() bool { // the queue is bound once an event has come
		number++
		a.startOrder(number)
		return log.sagas() > 0
	}, settled, 100*time.Millisecond)
	good, declined := a.startOrder(2), a.startOrder(5)
	require.Eventually(t, func() bool { return len(log.of(good)) >= 2 }, settled, 20*time.Millisecond)
	assert.Equal(t, []string{"saga.started", "saga.completed"}, log.of(good))
	require.Eventually(t, func() bool { return len(log.of(declined)) >= 3 }, settled, 20*time.Millisecond)
	assert.Equal(t, []string{"saga.started", "saga.compensating", "saga.compensated"}, log.of(declined))
}
