package rabbit_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/amqpproxy"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// unreadable are headers that the broker accepts and amqp091-go refuses to read.
func unreadable() map[string]struct {
	kind    byte
	content []byte
} {
	return map[string]struct {
		kind    byte
		content []byte
	}{
		"arrays nested 33 deep":   {'A', amqpproxy.Nested(33)},
		"arrays nested 500 deep":  {'A', amqpproxy.Nested(500)},
		"an array of 9,000 nulls": {'A', bytes.Repeat([]byte{'V'}, 9000)},
		"a table of 9,000 nulls":  {'F', amqpproxy.ManyNulls(9000)},
	}
}

func TestAReplyWithUnreadableHeadersIsDeliveredAndSettled(t *testing.T) {
	t.Parallel()
	for name, header := range unreadable() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := corner(t)
			b := connect(t, config)
			var in inbox
			background(t, func(ctx context.Context) { b.ConsumeReplies(ctx, in.addAndAck) })
			amqpproxy.PublishHeader(t, config.URL, "", config.Prefix+".replies", header.kind, header.content, amqp.Publishing{
				CorrelationId: "saga/step/execute/1", MessageId: "poison", Body: []byte(`{"status":"succeeded"}`),
			})
			sendReplies(t, config, 0, 3)
			messages, _ := in.await(t, 4)
			assert.Len(t, in.ids(), 4)
			for _, m := range messages {
				if m.MessageID == "poison" {
					assert.Equal(t, "saga/step/execute/1", m.CorrelationID)
					assert.JSONEq(t, `{"status":"succeeded"}`, string(m.Body))
					assert.Contains(t, m.Damage, "headers: ")
					assert.Equal(t, "charge", m.Headers["saga-step"], "simple headers are kept")
				} else {
					assert.Empty(t, m.Damage)
				}
			}
			require.NoError(t, b.Ready())
		})
	}
}

func TestADeadLetterWhoseHeadersOutgrowAFrameIsDelivered(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	b := connect(t, config, "payments")
	channel := plainChannel(t, config.URL)
	require.NoError(t, channel.Confirm(false))
	confirm, err := channel.PublishWithDeferredConfirm(config.Prefix+".commands", "payments", true, false, amqp.Publishing{
		MessageId: "large", Headers: amqp.Table{"ctx": strings.Repeat("x", 130_950), "saga-id": "s"}, Body: []byte("{}"),
	})
	require.NoError(t, err)
	require.True(t, confirm.Wait())
	work(t, config, func(wire.Message) wire.Answer { return wire.Answer{Settlement: wire.Rejected} })
	var dead inbox
	background(t, func(ctx context.Context) { b.ConsumeDead(ctx, dead.addAndAck) })
	messages, _ := dead.await(t, 1)
	assert.Equal(t, "large", messages[0].MessageID)
	assert.Contains(t, messages[0].Damage, "headers: ")
	assert.Equal(t, wire.DiedInCommands, messages[0].DiedIn)
	assert.Equal(t, "s", messages[0].Headers["saga-id"])
	assert.Equal(t, "rejected", messages[0].Headers["x-first-death-reason"])
}

func TestAnOversizedBodyIsCutAndMarked(t *testing.T) {
	t.Parallel()
	config := corner(t)
	b := connect(t, config)
	channel := plainChannel(t, config.URL)
	require.NoError(t, channel.Confirm(false))
	body := bytes.Repeat([]byte("0123456789abcdef"), 20<<20/16)
	confirm, err := channel.PublishWithDeferredConfirm("", config.Prefix+".replies", true, false, amqp.Publishing{
		MessageId: "huge", Headers: amqp.Table{"a": "b"}, Body: body,
	})
	require.NoError(t, err)
	require.True(t, confirm.Wait())
	sendReplies(t, config, 0, 2)
	var in inbox
	background(t, func(ctx context.Context) { b.ConsumeReplies(ctx, in.addAndAck) })
	messages, _ := in.await(t, 3)
	assert.Equal(t, "huge", messages[0].MessageID)
	assert.Len(t, messages[0].Body, 2<<20)
	assert.Equal(t, body[:2<<20], messages[0].Body)
	assert.Equal(t, "body: 20971520 bytes, the first 2097152 are kept", messages[0].Damage)
	assert.Equal(t, map[string]any{"a": "b"}, messages[0].Headers)
	assert.JSONEq(t, `{"status":"succeeded"}`, string(messages[2].Body))
}

func TestLargeMessagesAreConsumedAFewAtATime(t *testing.T) {
	t.Parallel()
	const count, size = 120, 1 << 20
	config := corner(t)
	b := connect(t, config)
	channel := plainChannel(t, config.URL)
	require.NoError(t, channel.Confirm(false))
	var last *amqp.DeferredConfirmation
	for i := range count {
		var err error
		last, err = channel.PublishWithDeferredConfirm("", config.Prefix+".replies", true, false, amqp.Publishing{
			MessageId: fmt.Sprint(i), Body: bytes.Repeat([]byte("x"), size),
		})
		require.NoError(t, err)
	}
	require.True(t, last.Wait())
	var in inbox
	background(t, func(ctx context.Context) {
		b.ConsumeReplies(ctx, func(m wire.Message, settle func(bool)) {
			m.Body = nil // to save memory
			in.addAndAck(m, settle)
		})
	})
	require.Eventually(t, func() bool { return len(in.ids()) == count }, patience, 10*time.Millisecond)
}

func TestACommandThatTheBrokerRefusesHarmsNoOther(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	peer, url := startPeer(t, config.URL)
	config.URL = url
	b := connect(t, config, "payments")
	all := commands("payments", 40)
	peer.Set(refusing(all[20].ID.String()))
	receipts := publishAll(t, b, all)
	for i, receipt := range receipts {
		if i == 20 {
			assert.Equal(t, wire.Refused, receipt.Outcome)
			assert.Contains(t, receipt.Reason, "larger than configured")
		} else {
			assert.Equal(t, wire.Confirmed, receipt.Outcome, "command %d: %s", i, receipt.Reason)
		}
	}
	require.NoError(t, b.Ready())
	assert.Equal(t, wire.Refused, b.PublishAlone(t.Context(), &all[20]).Outcome)
	assert.Equal(t, wire.Confirmed, b.PublishAlone(t.Context(), &all[21]).Outcome)
	require.NoError(t, b.Ready(), "one refused command does not make the broker unready")
}

func TestAQueueThatDoesNotConfirmDelaysNoOther(t *testing.T) {
	t.Parallel()
	config := corner(t, "slow", "fine")
	peer, url := startPeer(t, config.URL)
	config.URL = url
	b := connect(t, config, "slow", "fine")
	peer.Set(neverConfirming("slow"))
	slow := make(chan wire.Receipt, 310)
	collect := func(_ int, receipt wire.Receipt) { slow <- receipt }
	for round := range 5 {
		begun := time.Now()
		b.Publish(t.Context(), append(commands("fine", 100), command("slow", 1000+round), command("slow", 2000+round)),
			func(i int, receipt wire.Receipt) {
				if i >= 100 {
					collect(i, receipt)
				} else {
					assert.Equal(t, wire.Confirmed, receipt.Outcome, "command %d: %s", i, receipt.Reason)
				}
			})
		assert.Less(t, time.Since(begun), 1500*time.Millisecond, "other queues must not wait for the slow one")
	}
	b.Publish(t.Context(), commands("slow", 300), collect)
	for range 310 {
		assert.Contains(t, []wire.Outcome{wire.NotConfirmed, wire.Unconfirmed}, (<-slow).Outcome)
	}
	require.NoError(t, b.Ready(), "other queues accept messages")
}

func TestConfirmsMayComeInAnyOrder(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments", "full")
	peer, url := startPeer(t, config.URL)
	config.URL = url
	b := connect(t, config, "payments", "full")
	peer.Set(confirmingLate("payments", "full"))
	var mixed []wire.Command
	for i := range 100 {
		mixed = append(mixed, command([]string{"payments", "full", "missing"}[i%3], i))
	}
	for i, receipt := range publishAll(t, b, mixed) {
		want := []wire.Outcome{wire.Confirmed, wire.Nacked, wire.Returned}[i%3]
		assert.Equal(t, want, receipt.Outcome, "command %d: %s", i, receipt.Reason)
	}
}

func TestTwoInstallationsDoNotShareAPrefix(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	config.Installation = "first"
	first := connect(t, config, "payments")
	other := config
	other.Installation = "second"
	second := start(t, other)
	require.Eventually(t, func() bool {
		err := second.Ready()
		return err != nil && strings.Contains(err.Error(), rabbit.ErrForeign.Error())
	}, patience, 10*time.Millisecond)
	require.ErrorIs(t, second.DeclareQueues(t.Context(), []string{"payments"}), rabbit.ErrForeign)
	var theirs, ours inbox
	background(t, func(ctx context.Context) { second.ConsumeReplies(ctx, theirs.addAndAck) })
	background(t, func(ctx context.Context) { first.ConsumeReplies(ctx, ours.addAndAck) })
	sendReplies(t, config, 0, 50)
	ours.await(t, 50)
	assert.Empty(t, theirs.ids())
	connect(t, config) // another replica of the first installation
}

func TestADeletedMarkerIsWrittenAgain(t *testing.T) {
	t.Parallel()
	config := corner(t)
	config.Installation = "first"
	connect(t, config)
	marker := config.Prefix + ".installation"
	_, err := plainChannel(t, config.URL).QueueDelete(marker, false, false, false)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		_, err := plainChannel(t, config.URL).QueueDeclarePassive(marker, true, false, false, false, nil)
		return err == nil
	}, patience, 100*time.Millisecond)
	other := config
	other.Installation = "second"
	second := start(t, other)
	require.Eventually(t, func() bool {
		err := second.Ready()
		return err != nil && strings.Contains(err.Error(), rabbit.ErrForeign.Error())
	}, patience, 10*time.Millisecond)
}

func TestAPrefixOfAnotherInstallationIsLeftAlone(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	config.Installation = "first"
	first := connect(t, config, "payments")
	var ours inbox
	background(t, func(ctx context.Context) { first.ConsumeReplies(ctx, ours.addAndAck) })
	sendReplies(t, config, 0, 1)
	ours.await(t, 1)
	channel := plainChannel(t, config.URL)
	mark := func(installation string) {
		_, err := channel.QueueDelete(config.Prefix+".installation", false, false, false)
		require.NoError(t, err)
		_, err = channel.QueueDeclare(config.Prefix+".installation", true, false, false, false, amqp.Table{
			"x-queue-type": "classic", "x-dead-letter-exchange": config.Prefix + ".dead", "x-dead-letter-routing-key": installation,
		})
		require.NoError(t, err)
	}
	mark("second")
	require.Eventually(t, func() bool {
		queue, err := channel.QueueDeclarePassive(config.Prefix+".replies", true, false, false, false, nil)
		return err == nil && queue.Consumers == 0 && first.Ready() != nil && first.CanPublish() != nil
	}, patience, 10*time.Millisecond)
	sendReplies(t, config, 1, 5)
	assert.Len(t, ours.ids(), 1, "replies of another installation are not ours")

	mark("first")
	ours.await(t, 6)
	ready(t, first)
}

func TestAUserWithoutTheRightToDeclareUsesExistingQueues(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	connect(t, config, "payments")
	peer, url := startPeer(t, config.URL)
	peer.Set(withoutConfigure())
	config.URL = url
	b := connect(t, config, "payments")
	publish(t, b, commands("payments", 5))
}

func TestAnAbandonedInspectionLeavesNoChannelOpen(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	b := connect(t, config, "payments")
	for range 2500 { // a connection has at most 2,047 channels
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := b.Inspect(ctx, []string{"payments"})
		require.Error(t, err)
	}
	for range 200 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, _ = b.Inspect(ctx, []string{"payments", "missing", "payments"}) // it may finish or not
		cancel()
	}
	require.Eventually(t, func() bool { return depth(t, b) == 0 }, patience, 10*time.Millisecond)
	publish(t, b, commands("payments", 1))
}

// A row that was edited by hand may have a name that no queue and no property can have. The library would end the connection over it.
func TestNamesThatAreTooLongHarmNoOther(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("q", 300)
	config := corner(t, "payments")
	b := connect(t, config)
	require.NoError(t, b.DeclareQueues(t.Context(), []string{long, "payments"}))
	states, err := b.Inspect(t.Context(), []string{long, "payments"})
	require.NoError(t, err)
	assert.False(t, states[long].Exists)
	assert.True(t, states["payments"].Exists)
	publishEvents(t, b, append(lifecycle(long, "saga.completed", 1), lifecycle("order", long, 1)...))
}
