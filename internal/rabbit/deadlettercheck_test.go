package rabbit_test

import (
	"bytes"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/amqpproxy"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/proxy"
)

// checkSoon is an interval of checks for tests.
const checkSoon = 1500 * time.Millisecond

// awaitDeadLettering waits until each broker has found out whether the broker dead-letters.
func awaitDeadLettering(t *testing.T, want bool, brokers ...*rabbit.Broker) {
	t.Helper()
	for _, b := range brokers {
		require.Eventually(t, func() bool {
			works, known := b.DeadLettering()
			return known && works == want
		}, 2*time.Minute, 50*time.Millisecond)
	}
}

func isKnown(b *rabbit.Broker) bool {
	_, known := b.DeadLettering()
	return known
}

// The broker dead-letters nothing any more, which only its log says. Each replica notices, and that the runbook in
// docs/operations.md has ended it.
func TestEachReplicaNoticesThatTheBrokerDeadLettersNothing(t *testing.T) {
	t.Parallel()
	url, node := env.OwnBroker(t)
	config := rabbit.Config{URL: url, CheckEvery: checkSoon}
	first, second := connect(t, config, "payments"), connect(t, config)
	require.False(t, isKnown(first), "not before the first check")
	awaitDeadLettering(t, true, first, second)

	env.EndDeadLettering(t, url)
	awaitDeadLettering(t, false, first, second)
	require.NoError(t, first.Ready(), "commands can be published all the same")
	_, err := plainChannel(t, url).QueueDelete(env.PoisonedQueue, false, false, false)
	require.NoError(t, err)
	node.Signal(syscall.SIGTERM)
	awaitDeadLettering(t, true, first, second)
}

// A replica that starts on such a node finds out, too.
func TestAReplicaStartsOnABrokerThatDeadLettersNothing(t *testing.T) {
	t.Parallel()
	url, _ := env.OwnBroker(t)
	before := connect(t, rabbit.Config{URL: url})
	require.NoError(t, before.Close(t.Context()))
	env.EndDeadLettering(t, url)
	awaitDeadLettering(t, false, start(t, rabbit.Config{URL: url, CheckEvery: checkSoon}))
}

// A user without the rights to check works as before, and is not refused again and again.
func TestAUserWithoutTheRightToDeclareChecksNoDeadLettering(t *testing.T) {
	t.Parallel()
	config := corner(t)
	connect(t, config)
	peer, url := startPeer(t, config.URL)
	rules, refusals := withoutConfigure(), atomic.Int32{}
	refuse := rules.Client
	rules.Client = func(c *amqpproxy.Conn, f amqpproxy.Frame) []amqpproxy.Frame {
		if f.Method() == amqpproxy.ExchangeDeclare && bytes.Contains(f.Payload, []byte(".checked")) {
			refusals.Add(1)
		}
		return refuse(c, f)
	}
	peer.Set(rules)
	config.URL, config.CheckEvery = url, 100*time.Millisecond
	b := connect(t, config)
	require.Eventually(t, func() bool { return refusals.Load() > 0 }, patience, 10*time.Millisecond)
	assert.Never(t, func() bool { return refusals.Load() > 2 }, 10*config.CheckEvery, config.CheckEvery, "an active and a passive declaration")
	require.False(t, isKnown(b))
	require.NoError(t, b.Ready())
}

// A deleted queue is declared again, and is not mistaken for a broker that has stopped.
func TestTheCheckQueueIsDeclaredAgain(t *testing.T) {
	t.Parallel()
	config := corner(t)
	config.CheckEvery = checkSoon
	b := connect(t, config)
	awaitDeadLettering(t, true, b)
	channel := plainChannel(t, config.URL)
	require.NoError(t, channel.ExchangeDelete(config.Prefix+".checked", false, false))
	_, err := channel.QueueDelete(config.Prefix+".check", false, false, false) // last: its loss, unlike that of the exchange, shows at once
	require.NoError(t, err)
	require.Eventually(t, func() bool { return !isKnown(b) }, patience, 5*time.Millisecond, "the loss is noticed, and proves nothing")
	awaitDeadLettering(t, true, b)
}

// Without the exchange dead check messages go nowhere, although the broker works.
func TestTheCheckExchangeIsDeclaredAgain(t *testing.T) {
	t.Parallel()
	config := corner(t)
	config.CheckEvery = checkSoon
	b := connect(t, config)
	awaitDeadLettering(t, true, b)
	require.NoError(t, plainChannel(t, config.URL).ExchangeDelete(config.Prefix+".checked", false, false))
	assert.Never(t, func() bool {
		works, known := b.DeadLettering()
		return known && !works
	}, 6*checkSoon, 50*time.Millisecond)
}

// In a queue of another kind check messages may not expire, which proves nothing.
func TestCheckMessagesAreNotSentToAQueueOfAnotherKind(t *testing.T) {
	t.Parallel()
	config := corner(t)
	channel := plainChannel(t, config.URL)
	check := config.Prefix + ".check"
	_, err := channel.QueueDeclare(check, true, false, false, false, nil)
	require.NoError(t, err)
	config.CheckEvery = 300 * time.Millisecond
	b := connect(t, config)
	assert.Never(t, func() bool {
		found, err := channel.QueueDeclarePassive(check, true, false, false, false, nil)
		return err != nil || found.Messages > 0 || isKnown(b)
	}, 10*config.CheckEvery, config.CheckEvery)
	_, err = plainChannel(t, config.URL).QueueDelete(check, false, false, false) // the last look may still use the other channel
	require.NoError(t, err)
	awaitDeadLettering(t, true, b)
}

// A result is valid for a while only.
func TestWithoutAConnectionDeadLetteringIsUnknown(t *testing.T) {
	t.Parallel()
	config := corner(t)
	through, url, err := proxy.Start(config.URL)
	require.NoError(t, err)
	t.Cleanup(through.Close)
	config.URL, config.CheckEvery = url, 500*time.Millisecond
	b := connect(t, config)
	awaitDeadLettering(t, true, b)
	through.Down()
	require.Eventually(t, func() bool { return !isKnown(b) }, patience, 50*time.Millisecond)
	through.Up()
	awaitDeadLettering(t, true, b)
}

// With classic queues there is nothing to check.
func TestClassicQueuesNeedNoCheckMessages(t *testing.T) {
	t.Parallel()
	config := corner(t)
	config.QueueType, config.CheckEvery = rabbit.Classic, 50*time.Millisecond
	awaitDeadLettering(t, true, connect(t, config))
}
