package steps_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/local"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

func event(seq int64) wire.Event {
	return wire.Event{
		Subject: "01J00000000000000000000000", Seq: seq, Type: "saga.completed", At: time.Unix(seq, 0).UTC(), Definition: "order",
		Data: []byte(`{"definition":"order","version":2,"key":"k","labels":{"region":"eu"},"actor":"ada","detail":{"a":1}}`),
	}
}

// gotEvents collects events.
type gotEvents struct {
	mu  sync.Mutex
	all []steps.Event
}

func (g *gotEvents) take(_ context.Context, e steps.Event) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.all = append(g.all, e)
	return nil
}

func (g *gotEvents) ids() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	var ids []string
	for _, e := range g.all {
		_, number, _ := strings.Cut(e.ID, "/")
		ids = append(ids, number)
	}
	return strings.Join(ids, " ")
}

// publisher publishes events, as the orchestrator does.
type publisher interface {
	PublishEvents(ctx context.Context, events []wire.Event) []error
}

// publishes publishes until the event is taken.
func publishes(t *testing.T, p publisher, seq int64) {
	t.Helper()
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		return p.PublishEvents(ctx, []wire.Event{event(seq)})[0] == nil
	}, patience, 10*time.Millisecond)
}

// subscribing subscribes until the test ends. It returns once events reach the subscriber.
func subscribing(t *testing.T, p publisher, got *gotEvents, subscribe func(context.Context) error) {
	t.Helper()
	background(t, func(ctx context.Context) { assert.NoError(t, subscribe(ctx)) })
	var seq int64 = 1000
	require.Eventually(t, func() bool {
		publishes(t, p, seq)
		seq++
		return got.ids() != ""
	}, patience, 20*time.Millisecond)
	require.Eventually(t, func() bool { return strings.HasSuffix(got.ids(), fmt.Sprint(seq-1)) }, patience, 5*time.Millisecond)
	got.mu.Lock()
	got.all = nil
	got.mu.Unlock()
}

func TestASubscriberGetsEachEventOnce(t *testing.T) {
	t.Parallel()
	overRabbit := func(t *testing.T) (publisher, steps.Transport) {
		t.Helper()
		b, url, prefix := orchestrator(t)
		return b, steps.AMQP(steps.AMQPConfig{URL: url, Prefix: prefix})
	}
	inProcess := func(*testing.T) (publisher, steps.Transport) {
		b := local.New()
		return b, b
	}
	for name, open := range map[string]func(*testing.T) (publisher, steps.Transport){"RabbitMQ": overRabbit, "in process": inProcess} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, transport := open(t)
			got, failures := &gotEvents{}, 0
			subscribing(t, p, got, func(ctx context.Context) error {
				return steps.Subscribe(ctx, transport, steps.Subscription{Name: "billing", Keys: []string{"order.saga.*"}},
					func(ctx context.Context, e steps.Event) error {
						if strings.HasSuffix(e.ID, "/2") && failures < 2 {
							failures++
							return errors.New("not yet")
						}
						return got.take(ctx, e)
					})
			})
			for _, seq := range []int64{1, 2, 1, 2, 3, 1} {
				publishes(t, p, seq)
			}
			require.Eventually(t, func() bool { return got.ids() == "1 2 3" }, patience, 5*time.Millisecond, got.ids())
			e := got.all[0]
			assert.Equal(t, []string{"01J00000000000000000000000/1", "saga.completed", "01J00000000000000000000000"}, []string{e.ID, e.Type, e.Subject})
			assert.Equal(t, time.Unix(1, 0).UTC(), e.Time)
			assert.JSONEq(t, string(event(1).Data), string(e.Data.Raw))
			assert.Equal(t, []string{"order", "k", "eu", "ada", `{"a":1}`},
				[]string{e.Data.Definition, e.Data.Key, e.Data.Labels["region"], e.Data.Actor, string(e.Data.Detail)})
			assert.Equal(t, 2, e.Data.Version)
		})
	}
}

func TestAnEventTakesEffectOnceBehindTheBarrier(t *testing.T) {
	t.Parallel()
	pool := openPool(t, env.Database(t))
	barrier := steps.NewBarrier(pool)
	require.NoError(t, barrier.Install(t.Context()))
	_, err := pool.Exec(t.Context(), `create table booked (event text)`)
	require.NoError(t, err)
	b := local.New()
	got := &gotEvents{}
	failed := false
	for range 2 { // the second one is a process that has forgotten what it handled
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() {
			assert.NoError(t, steps.SubscribeTx(ctx, b, barrier, steps.Subscription{Name: "billing"},
				func(ctx context.Context, tx pgx.Tx, e steps.Event) error {
					if _, err := tx.Exec(ctx, `insert into booked values ($1)`, e.ID); err != nil {
						return err
					}
					if !failed {
						failed = true
						return errors.New("after the effect")
					}
					return got.take(ctx, e)
				}))
		})
		require.Eventually(t, func() bool {
			publishes(t, b, 1)
			publishes(t, b, 2)
			return got.ids() == "1 2" || got.ids() == "2 1"
		}, patience, 10*time.Millisecond)
		publishes(t, b, 1)
		cancel()
		running.Wait()
	}
	var booked []string
	require.NoError(t, pool.QueryRow(t.Context(), `select array_agg(event order by event) from booked`).Scan(&booked))
	assert.Equal(t, []string{"01J00000000000000000000000/1", "01J00000000000000000000000/2"}, booked)
}

func TestASubscriptionNeedsAName(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "Billing", "a/b", strings.Repeat("a", 64)} {
		err := steps.Subscribe(t.Context(), local.New(), steps.Subscription{Name: name}, nil)
		require.ErrorContains(t, err, "subscription name")
	}
}
