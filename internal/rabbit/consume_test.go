package rabbit_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// sendReplies publishes replies as any worker does.
func sendReplies(t *testing.T, config rabbit.Config, from, count int) {
	t.Helper()
	channel := plainChannel(t, config.URL)
	require.NoError(t, channel.Confirm(false))
	for i := from; i < from+count; i++ {
		confirm, err := channel.PublishWithDeferredConfirm("", config.Prefix+".replies", true, false, amqp.Publishing{
			MessageId: fmt.Sprint(i), CorrelationId: fmt.Sprint(i), Body: []byte(`{"status":"succeeded"}`),
		})
		require.NoError(t, err)
		require.True(t, confirm.Wait())
	}
}

func TestASlowMessageDoesNotDelayLaterOnes(t *testing.T) {
	t.Parallel()
	config := corner(t)
	config.Prefetch = 3
	b := connect(t, config)
	sendReplies(t, config, 0, 20)
	var in inbox
	background(t, func(ctx context.Context) {
		first := true
		b.ConsumeReplies(ctx, func(m wire.Message, settle func(bool)) {
			in.add(m, settle)
			if !first {
				settle(true)
			}
			first = false
		})
	})
	_, settles := in.await(t, 20)
	settles[0](true)
}

// One replica gets all replies, so that it knows the sagas. The others get what it does not take, and everything once it is gone.
func TestOneReplicaGetsTheRepliesThatItTakes(t *testing.T) {
	t.Parallel()
	config := corner(t)
	config.Prefetch = 10
	inboxes := make([]inbox, 2)
	stops := make([]func(), 2)
	brokers := []*rabbit.Broker{connect(t, config), connect(t, config)}
	for i, b := range brokers {
		stops[i] = background(t, func(ctx context.Context) {
			b.ConsumeReplies(ctx, func(m wire.Message, settle func(bool)) {
				inboxes[i].add(m, settle)
				settle(true)
			})
		})
	}
	counts := func() []int { return []int{len(inboxes[0].ids()), len(inboxes[1].ids())} }
	require.Eventually(t, func() bool { // both consume
		queue, err := plainChannel(t, config.URL).QueueDeclarePassive(config.Prefix+".replies", true, false, false, false, nil)
		return err == nil && queue.Consumers == 2
	}, 10*time.Second, 20*time.Millisecond)
	sendReplies(t, config, 0, 50) // one by one: each is confirmed and settled before the next
	require.Eventually(t, func() bool { return counts()[0]+counts()[1] >= 50 }, 10*time.Second, 5*time.Millisecond)
	preferred := 0
	if counts()[1] > counts()[0] {
		preferred = 1
	}
	assert.GreaterOrEqual(t, counts()[preferred], 45, "%v", counts())

	stops[preferred]()
	other := counts()[1-preferred]
	sendReplies(t, config, 50, 20)
	require.Eventually(t, func() bool { return counts()[1-preferred] >= other+20 }, 10*time.Second, 5*time.Millisecond)
}

func TestMessagesSettledInAnyOrderAreNotDeliveredAgain(t *testing.T) {
	t.Parallel()
	config := corner(t)
	config.Grace = 200 * time.Millisecond
	b := connect(t, config)
	sendReplies(t, config, 0, 100)
	var in inbox
	stop := background(t, func(ctx context.Context) { b.Consume(ctx, config.Prefix+".replies", 500, in.add) })
	_, settles := in.await(t, 100)
	for i, settle := range slices.Backward(settles) {
		if i%10 != 0 {
			go settle(true)
			go settle(true) // only the first call counts
		}
	}
	settles[10](false) // delivered again at once, to this consumer
	messages, _ := in.await(t, 101)
	assert.Equal(t, "10", messages[100].MessageID)
	assert.True(t, messages[100].Redelivered)
	// Every other settlement is done when the consumer has ended; the next consumer gets the unsettled messages.
	require.Eventually(t, func() bool { return len(in.ids()) == 100 }, patience, 10*time.Millisecond)
	stop()
	settles[0](true) // the channel is lost: no effect

	var next inbox
	background(t, func(ctx context.Context) { b.Consume(ctx, config.Prefix+".replies", 500, next.addAndAck) })
	next.await(t, 10)
	for i := range 10 {
		assert.Equal(t, 1, next.ids()[fmt.Sprint(10*i)], "message %d was not settled", 10*i)
	}
	assert.Len(t, next.ids(), 10)
}

func TestAStoppingConsumerWaitsForUnsettledMessages(t *testing.T) {
	t.Parallel()
	config := corner(t)
	b := connect(t, config)
	sendReplies(t, config, 0, 5)
	var in inbox
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	background(t, func(context.Context) {
		b.ConsumeReplies(ctx, in.add)
		close(ended)
	})
	_, settles := in.await(t, 5)
	cancel()
	for _, settle := range settles {
		select {
		case <-ended:
			t.Fatal("it ended before all was settled")
		default:
		}
		settle(true)
	}
	<-ended
	queue, err := plainChannel(t, config.URL).QueueDeclarePassive(config.Prefix+".replies", true, false, false, false, nil)
	require.NoError(t, err)
	assert.Zero(t, queue.Messages)
}

func TestADeletedQueueIsDeclaredAgainAndConsumed(t *testing.T) {
	t.Parallel()
	config := corner(t)
	b := connect(t, config)
	var in inbox
	background(t, func(ctx context.Context) { b.ConsumeReplies(ctx, in.addAndAck) })
	sendReplies(t, config, 0, 1)
	in.await(t, 1)
	channel := plainChannel(t, config.URL)
	_, err := channel.QueueDelete(config.Prefix+".replies", false, false, false)
	require.NoError(t, err)
	begun := time.Now()
	require.Eventually(t, func() bool {
		probe, err := channel.QueueDeclarePassive(config.Prefix+".replies", true, false, false, false, nil)
		if err != nil {
			channel = plainChannel(t, config.URL)
		}
		return err == nil && probe.Consumers == 1
	}, patience, 20*time.Millisecond)
	assert.Less(t, time.Since(begun), 5*time.Second)
	sendReplies(t, config, 1, 1)
	in.await(t, 2)
}

func TestNoMessageIsLostWhileConnectionsAreCut(t *testing.T) {
	t.Parallel()
	const cuts = 8
	url, prefix := env.Broker(t, "payments")
	p, through := startProxy(t, url)
	b := connect(t, rabbit.Config{URL: through, Prefix: prefix, DeliveryLimit: 1000}, "payments")
	cut := make(chan struct{})
	background(t, func(ctx context.Context) {
		defer close(cut)
		ticker := time.NewTicker(400 * time.Millisecond)
		defer ticker.Stop()
		for n := 0; n < cuts && ctx.Err() == nil; n++ {
			<-ticker.C
			p.Cut()
		}
	})
	var in inbox
	background(t, func(ctx context.Context) { b.Consume(ctx, prefix+".commands.payments", 100, in.addAndAck) })
	count := 0
	for cutting := true; cutting; count += 50 {
		publish(t, b, commands("payments", count+50)[count:])
		select {
		case <-cut:
			cutting = false
		default:
		}
	}
	require.Eventually(t, func() bool { return len(in.ids()) == count && depth(t, b) == 0 }, patience, 20*time.Millisecond)
	messages, _ := in.all()
	t.Logf("%d cuts, %d deliveries of %d commands", cuts, len(messages), count)
}

// A broker may silently forget a consumer: then no message comes.
func TestAnIdleConsumerSubscribesAgainAndMissesNoMessage(t *testing.T) {
	t.Parallel()
	config := corner(t)
	config.Renew = 30 * time.Millisecond
	b := connect(t, config)
	var in inbox
	background(t, func(ctx context.Context) { b.ConsumeReplies(ctx, in.addAndAck) })
	inspect := plainChannel(t, config.URL)
	absent := 0
	for i := range 40 {
		sendReplies(t, config, 5*i, 5)
		queue, err := inspect.QueueDeclarePassive(config.Prefix+".replies", true, false, false, false, nil)
		require.NoError(t, err)
		if queue.Consumers == 0 {
			absent++
		}
		time.Sleep(time.Duration(i%8) * 15 * time.Millisecond)
	}
	in.await(t, 200)
	for id, deliveries := range in.ids() {
		assert.Equal(t, 1, deliveries, "message %s", id)
	}
	t.Logf("at %d of 40 moments the consumer was between two subscriptions", absent)
}

func TestConsumersWaitForMissingQueues(t *testing.T) {
	t.Parallel()
	config := corner(t)
	var said bytes.Buffer
	config.Logger = slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))
	b := rabbit.Connect(config)
	var in inbox
	consume := func(ctx context.Context) { b.ConsumeReplies(ctx, in.addAndAck) }
	ends := []func(){background(t, consume), background(t, consume)}
	ready(t, b)
	sendReplies(t, config, 0, 10)
	in.await(t, 10)
	for _, end := range ends {
		end()
	}
	require.NoError(t, b.Close(t.Context()))
	assert.Empty(t, said.String())
}

func TestAConsumerEndsOnABrokerThatNeverConnected(t *testing.T) {
	t.Parallel()
	b := rabbit.Connect(rabbit.Config{URL: "amqp://guest:guest@127.0.0.1:1", Logger: slog.New(slog.DiscardHandler)})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.ConsumeReplies(context.Background(), nil)
	}()
	require.NoError(t, b.Close(t.Context()))
	<-ended
}

// A replica that cannot decide on the sagas of replies, such as one without their key, gives them back. The broker would deliver them to
// it again and again, because it prefers one replica.
func TestAReplyThatIsGivenBackGoesToAnotherReplica(t *testing.T) {
	t.Parallel()
	config := corner(t)
	var refused, taken inbox
	for range 4 {
		b := connect(t, config)
		background(t, func(ctx context.Context) {
			b.ConsumeReplies(ctx, func(m wire.Message, settle func(bool)) {
				refused.add(m, settle)
				settle(false)
			})
		})
	}
	b := connect(t, config)
	background(t, func(ctx context.Context) { b.ConsumeReplies(ctx, taken.addAndAck) })
	require.Eventually(t, func() bool { // all consume
		queue, err := plainChannel(t, config.URL).QueueDeclarePassive(config.Prefix+".replies", true, false, false, false, nil)
		return err == nil && queue.Consumers == 5
	}, 10*time.Second, 20*time.Millisecond)
	sendReplies(t, config, 0, 50)
	taken.await(t, 50)
	assert.Less(t, len(refused.ids()), 100)
}
