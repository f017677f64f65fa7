package rabbit_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/proxy"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// patience limits every wait; a quorum queue on a busy machine is slow.
const patience = 30 * time.Second

// connect returns a ready broker with these worker queues.
func connect(t *testing.T, config rabbit.Config, queues ...string) *rabbit.Broker {
	t.Helper()
	b := start(t, config)
	ready(t, b)
	if len(queues) > 0 {
		require.NoError(t, b.DeclareQueues(t.Context(), queues))
	}
	return b
}

// start returns a broker that may still be connecting.
func start(t *testing.T, config rabbit.Config) *rabbit.Broker {
	t.Helper()
	if config.Logger == nil {
		config.Logger = slog.New(slog.NewTextHandler(t.Output(), nil))
	}
	b := rabbit.Connect(config)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, b.Close(ctx))
	})
	return b
}

func ready(t *testing.T, b *rabbit.Broker) {
	t.Helper()
	require.Eventually(t, func() bool { return b.Ready() == nil }, patience, 10*time.Millisecond, "the broker is not ready")
}

// corner returns a config with a prefix of the test's own, for tests without a proxy.
func corner(t *testing.T, queues ...string) rabbit.Config {
	t.Helper()
	url, prefix := env.Broker(t, queues...)
	return rabbit.Config{URL: url, Prefix: prefix}
}

// plainChannel opens a channel as any AMQP client does.
func plainChannel(t *testing.T, url string) *amqp.Channel {
	t.Helper()
	conn, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	channel, err := conn.Channel()
	require.NoError(t, err)
	return channel
}

// command returns a command that its number identifies.
func command(queue string, number int) wire.Command {
	return wire.Command{
		ID:         saga.CommandID{Saga: fmt.Sprintf("saga-%d", number), Step: "step", Direction: saga.Execute, Round: 1, Attempt: 1},
		Definition: "order", Version: 3, Name: "payments.charge", Queue: queue, Timeout: 30 * time.Second,
		Body: []byte(`{"data":{"orderId":"42"}}`),
	}
}

func commands(queue string, count int) []wire.Command {
	all := make([]wire.Command, count)
	for i := range all {
		all[i] = command(queue, i)
	}
	return all
}

// publish publishes until all commands are confirmed.
func publish(t *testing.T, b *rabbit.Broker, all []wire.Command) {
	t.Helper()
	require.Eventually(t, func() bool {
		var open []wire.Command
		for i, receipt := range publishAll(t, b, all) {
			if receipt.Outcome != wire.Confirmed {
				open = append(open, all[i])
			}
		}
		all = open
		return len(all) == 0
	}, patience, 20*time.Millisecond, "some commands were not confirmed")
}

// background runs a function until stop is called or the test ends, before the broker is closed.
func background(t *testing.T, run func(ctx context.Context)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var work sync.WaitGroup
	work.Go(func() { run(ctx) })
	stop = func() {
		cancel()
		work.Wait()
	}
	t.Cleanup(stop)
	return stop
}

// inbox collects messages.
type inbox struct {
	mu       sync.Mutex
	messages []wire.Message
	settles  []func(bool)
}

func (i *inbox) add(m wire.Message, settle func(bool)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.messages, i.settles = append(i.messages, m), append(i.settles, settle)
}

func (i *inbox) addAndAck(m wire.Message, settle func(bool)) {
	i.add(m, settle)
	settle(true)
}

func (i *inbox) all() ([]wire.Message, []func(bool)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]wire.Message(nil), i.messages...), append([]func(bool){}, i.settles...)
}

// ids counts how often each message came.
func (i *inbox) ids() map[string]int {
	messages, _ := i.all()
	seen := make(map[string]int)
	for _, m := range messages {
		seen[m.MessageID]++
	}
	return seen
}

// await waits for count messages.
func (i *inbox) await(t *testing.T, count int) ([]wire.Message, []func(bool)) {
	t.Helper()
	require.Eventually(t, func() bool {
		messages, _ := i.all()
		return len(messages) >= count
	}, patience, 5*time.Millisecond, "fewer than %d messages came", count)
	return i.all()
}

// depth returns the number of commands in the queue payments, or -1 if the broker does not answer.
func depth(t *testing.T, b *rabbit.Broker) int {
	t.Helper()
	states, err := b.Inspect(t.Context(), []string{"payments"})
	if err != nil {
		return -1
	}
	return states["payments"].Depth
}

// startProxy starts a proxy to the broker for the test. It returns the URL that leads through the proxy.
func startProxy(t *testing.T, brokerURL string) (*proxy.Proxy, string) {
	t.Helper()
	p, through, err := proxy.Start(brokerURL)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p, through
}

// publishAll publishes and waits for all receipts.
func publishAll(t *testing.T, b *rabbit.Broker, all []wire.Command) []wire.Receipt {
	t.Helper()
	return publishWithin(t.Context(), b, all)
}

func publishWithin(ctx context.Context, b *rabbit.Broker, all []wire.Command) []wire.Receipt {
	return env.Receipts(ctx, b.Publish, all)
}
