package rabbit_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

func TestACommandIsConfirmedOnlyIfItReachedAQueue(t *testing.T) {
	t.Parallel()
	b := connect(t, corner(t, "there"), "there")
	var mixed []wire.Command
	for i := range 300 {
		queue := "there"
		if i%3 == 0 {
			queue = "not-there"
		}
		mixed = append(mixed, command(queue, i))
	}
	receipts := publishAll(t, b, mixed)
	require.Len(t, receipts, len(mixed))
	for i, receipt := range receipts {
		if i%3 == 0 {
			require.Equal(t, wire.Returned, receipt.Outcome, "command %d: %s", i, receipt.Reason)
			require.Contains(t, receipt.Reason, "NO_ROUTE")
		} else {
			require.Equal(t, wire.Confirmed, receipt.Outcome, "command %d: %s", i, receipt.Reason)
		}
	}
	assert.Empty(t, publishAll(t, b, nil))
}

func TestACommandCarriesThePropertiesOfTheProtocol(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	b := connect(t, config, "payments")
	sent := command("payments", 1)
	sent.Priority, sent.TraceParent = 7, "00-trace"
	publish(t, b, []wire.Command{sent})

	got, ok, err := plainChannel(t, config.URL).Get(config.Prefix+".commands.payments", true)
	require.NoError(t, err)
	require.True(t, ok)
	assert.Equal(t, "saga-1/step/execute/1", got.MessageId)
	assert.Equal(t, got.MessageId, got.CorrelationId)
	assert.Equal(t, "payments.charge", got.Type)
	assert.Equal(t, config.Prefix+".replies", got.ReplyTo)
	assert.Equal(t, "application/json", got.ContentType)
	assert.Equal(t, uint8(2), got.DeliveryMode)
	assert.Equal(t, uint8(7), got.Priority)
	assert.WithinDuration(t, time.Now(), got.Timestamp, time.Minute)
	assert.Equal(t, "saga-1", got.Headers["saga-id"])
	assert.Equal(t, "order", got.Headers["saga-definition"])
	assert.Equal(t, int64(3), got.Headers["saga-version"])
	assert.Equal(t, "step", got.Headers["saga-step"])
	assert.Equal(t, "execute", got.Headers["saga-action"])
	assert.Equal(t, int64(1), got.Headers["saga-attempt"])
	assert.Equal(t, "saga-1/step/execute", got.Headers["saga-idempotency-key"])
	assert.Equal(t, "00-trace", got.Headers["traceparent"])
	assert.NotEmpty(t, got.Headers["saga-deadline"])
	assert.JSONEq(t, `{"data":{"orderId":"42"}}`, string(got.Body))
}

func TestAnInvalidCommandDoesNotHarmOthers(t *testing.T) {
	t.Parallel()
	b := connect(t, corner(t, "payments"), "payments")
	all := commands("payments", 3)
	all[1].Name = strings.Repeat("x", 300) // the library would end the connection
	receipts := publishAll(t, b, all)
	assert.Equal(t, wire.Confirmed, receipts[0].Outcome, receipts[0].Reason)
	assert.Equal(t, wire.Refused, receipts[1].Outcome)
	assert.Contains(t, receipts[1].Reason, "300 bytes")
	assert.Equal(t, wire.Confirmed, receipts[2].Outcome, receipts[2].Reason)
	require.NoError(t, b.Ready())
}

func TestABrokerUnreachableAtStartIsFoundLater(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "payments")
	p, through := startProxy(t, url)
	p.Down()
	b := start(t, rabbit.Config{URL: through, Prefix: prefix})
	require.ErrorIs(t, b.Ready(), rabbit.ErrNotConnected)
	require.ErrorIs(t, b.DeclareQueues(t.Context(), []string{"payments"}), rabbit.ErrNotConnected)
	begun := time.Now()
	receipts := publishAll(t, b, commands("payments", 2))
	assert.Less(t, time.Since(begun), time.Second, "without a connection, Publish returns at once")
	assert.Equal(t, wire.Unconfirmed, receipts[1].Outcome)

	p.Up()
	ready(t, b)
	publish(t, b, commands("payments", 2)) // the queue was remembered
}

func TestPublishingIntoAHalfOpenLinkEndsWithItsDeadline(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "payments")
	p, through := startProxy(t, url)
	b := connect(t, rabbit.Config{URL: through, Prefix: prefix, Timeout: 2 * time.Second, Heartbeat: 2 * time.Second}, "payments")
	p.Stall()
	all := commands("payments", 400)
	for i := range all {
		all[i].Body = make([]byte, 64<<10) // more than all buffers hold, so that the socket blocks
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	begun := time.Now()
	receipts := publishWithin(ctx, b, all)
	assert.Less(t, time.Since(begun), 2*time.Second)
	for i, receipt := range receipts {
		require.Equal(t, wire.Unconfirmed, receipt.Outcome, "command %d", i)
	}
	p.Flow()
	ready(t, b)
	publish(t, b, commands("payments", 10))
}

func TestASilentLinkIsNoticed(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t)
	p, through := startProxy(t, url)
	b := connect(t, rabbit.Config{URL: through, Prefix: prefix, Heartbeat: time.Second})
	p.Stall()
	begun := time.Now()
	require.Eventually(t, func() bool { return b.Ready() != nil }, 10*time.Second, 10*time.Millisecond)
	assert.Less(t, time.Since(begun), 4*time.Second, "two heartbeats, plus time for a busy machine")
}

func TestAMissingExchangeIsDeclaredAgain(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	b := connect(t, config, "payments")
	require.NoError(t, plainChannel(t, config.URL).ExchangeDelete(config.Prefix+".commands", false, false))
	receipts := publishAll(t, b, commands("payments", 1))
	assert.NotEqual(t, wire.Confirmed, receipts[0].Outcome)
	publish(t, b, commands("payments", 1))
}
