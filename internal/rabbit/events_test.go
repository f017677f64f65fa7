package rabbit_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// lifecycle returns events of one saga, numbered from 1.
func lifecycle(definition, eventType string, count int) []wire.Event {
	all := make([]wire.Event, count)
	for i := range all {
		all[i] = wire.Event{
			Subject: "saga-1", Seq: int64(i) + 1, Type: eventType, At: time.Unix(int64(i), 0), Definition: definition, Data: []byte(`{"step":"a"}`),
		}
	}
	return all
}

// publishEvents publishes until every event is taken.
func publishEvents(t *testing.T, b *rabbit.Broker, all []wire.Event) {
	t.Helper()
	for i := range all {
		require.Eventually(t, func() bool { return b.PublishEvents(t.Context(), all[i:i+1])[0] == nil }, patience, 10*time.Millisecond)
	}
}

// collected is what a subscriber has got.
type collected struct {
	mu  sync.Mutex
	ids []string
}

func (c *collected) take(m wire.Message) wire.Answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ids = append(c.ids, m.MessageID)
	return wire.Answer{Settlement: wire.Dropped}
}

func (c *collected) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.ids...)
}

func subscribe(t *testing.T, b *rabbit.Broker, name string, keys []string, handle func(wire.Message) wire.Answer) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, b.Subscribe(ctx, name, keys, handle)) })
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return stop
}

func TestEventsWithoutASubscriberAreTaken(t *testing.T) {
	t.Parallel()
	b := connect(t, corner(t))
	for _, err := range b.PublishEvents(t.Context(), lifecycle("order", "saga.started", 500)) {
		require.NoError(t, err)
	}
}

func TestASubscriberGetsTheEventsOfItsKeysInOrder(t *testing.T) {
	t.Parallel()
	config := corner(t)
	b := connect(t, config)
	worker := start(t, rabbit.Config{URL: config.URL, Prefix: config.Prefix, WorkerOnly: true})
	first, second := &collected{}, &collected{}
	stop := subscribe(t, worker, "billing", []string{"order.saga.*"}, first.take)
	require.Eventually(t, func() bool {
		publishEvents(t, b, lifecycle("order", "saga.started", 1))
		return len(first.all()) > 0
	}, patience, 20*time.Millisecond, "the queue is bound")
	stop()
	publishEvents(t, b, lifecycle("order", "step.failed", 3))
	publishEvents(t, b, lifecycle("refund", "saga.started", 3))
	publishEvents(t, b, lifecycle("order", "saga.completed", 50)) // they wait in the queue
	subscribe(t, worker, "billing", []string{"order.saga.*"}, second.take)
	var wanted []string
	for i := range 50 {
		wanted = append(wanted, fmt.Sprint("saga-1/", i+1))
	}
	require.Eventually(t, func() bool {
		got := second.all()
		return len(got) >= 50 && assert.ObjectsAreEqual(wanted, got[len(got)-50:])
	}, patience, 20*time.Millisecond)
	for _, id := range second.all()[:len(second.all())-50] {
		assert.Equal(t, "saga-1/1", id, "only what waited before")
	}
}

// Of two subscribers of one name, one gets all events. The other takes its place when it ends, from the event that was not
// handled.
func TestOneSubscriberOfANameAtATime(t *testing.T) {
	t.Parallel()
	config := corner(t)
	b := connect(t, config)
	one := start(t, rabbit.Config{URL: config.URL, Prefix: config.Prefix, WorkerOnly: true})
	two := start(t, rabbit.Config{URL: config.URL, Prefix: config.Prefix, WorkerOnly: true})
	probe, second := &collected{}, &collected{}
	failing, broken := make(chan struct{}, 1), make(chan struct{})
	stop := subscribe(t, one, "audit", []string{"#"}, func(m wire.Message) wire.Answer {
		select {
		case <-broken:
			select {
			case failing <- struct{}{}:
			default:
			}
			return wire.Answer{Settlement: wire.Requeued}
		default:
			return probe.take(m)
		}
	})
	require.Eventually(t, func() bool {
		publishEvents(t, b, lifecycle("order", "saga.started", 1))
		return len(probe.all()) > 0
	}, patience, 20*time.Millisecond)
	subscribe(t, two, "audit", []string{"#"}, second.take)
	close(broken)
	publishEvents(t, b, lifecycle("order", "saga.completed", 20))
	<-failing
	assert.Empty(t, second.all())
	stop()
	require.Eventually(t, func() bool {
		got := second.all()
		t.Log(got)
		return len(got) >= 20 && got[len(got)-1] == "saga-1/20" && got[len(got)-20] == "saga-1/1"
	}, patience, 20*time.Millisecond)
}

// A broker that cannot take events closes their channel. Commands have another one.
func TestEventsThatFailDoNotDisturbCommands(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	b := connect(t, config, "payments")
	require.NoError(t, plainChannel(t, config.URL).ExchangeDelete(config.Prefix+".events", false, false))
	failed := 0
	for i := range 20 {
		for _, err := range b.PublishEvents(t.Context(), lifecycle("order", "saga.started", 10)) {
			if err != nil {
				failed++
			}
		}
		receipts := env.Receipts(t.Context(), b.Publish, commands("payments", 10*(i+1))[10*i:])
		for _, receipt := range receipts {
			require.Equal(t, wire.Confirmed, receipt.Outcome, receipt.Reason)
		}
	}
	assert.Positive(t, failed)
	publishEvents(t, b, lifecycle("order", "saga.started", 1)) // the exchange is declared again
}
