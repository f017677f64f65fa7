package rabbit_test

import (
	"fmt"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

func TestAQueueWithOtherPropertiesIsNamedAndUsedAsItIs(t *testing.T) {
	t.Parallel()
	config := corner(t, "foreign", "fine")
	_, err := plainChannel(t, config.URL).QueueDeclare(config.Prefix+".commands.foreign", true, false, false, false,
		amqp.Table{"x-queue-type": "classic"})
	require.NoError(t, err)
	b := connect(t, config)
	err = b.DeclareQueues(t.Context(), []string{"foreign", "fine"})
	require.ErrorIs(t, err, rabbit.ErrMismatch)
	require.Equal(t, []string{"queue " + config.Prefix + ".commands.foreign"}, b.Mismatched())
	require.ErrorContains(t, err, config.Prefix+".commands.foreign")
	require.NotContains(t, err.Error(), ".commands.fine")
	require.NoError(t, b.Ready())
	publish(t, b, []wire.Command{command("foreign", 1), command("fine", 2)})
}

// An operator asks what is not as declared without a running orchestrator, and what does not exist stays so.
func TestPropertiesAreCheckedWithoutDeclaringAnything(t *testing.T) {
	t.Parallel()
	config := corner(t, "foreign", "missing")
	channel := plainChannel(t, config.URL)
	require.NoError(t, channel.ExchangeDeclare(config.Prefix+".commands", "fanout", true, false, false, false, nil))
	_, err := channel.QueueDeclare(config.Prefix+".commands.foreign", true, false, false, false, nil)
	require.NoError(t, err)
	found, err := rabbit.CheckProperties(t.Context(), config, []string{"foreign", "missing"})
	require.NoError(t, err)
	require.Equal(t, []string{"exchange " + config.Prefix + ".commands", "queue " + config.Prefix + ".commands.foreign"}, found)
	_, err = channel.QueueDeclarePassive(config.Prefix+".commands.missing", true, false, false, false, nil)
	require.ErrorContains(t, err, "NOT_FOUND")

	b := connect(t, config)
	err = b.DeclareQueues(t.Context(), []string{"foreign", "missing"})
	require.ElementsMatch(t, found, rabbit.Mismatches(fmt.Errorf("declare: %w", err)))
	require.ElementsMatch(t, found, b.Mismatched())
	_, err = rabbit.CheckProperties(t.Context(), rabbit.Config{URL: "amqp://guest:guest@127.0.0.1:1/"}, nil)
	require.Error(t, err)
}

func TestADeletedWorkerQueueIsDeclaredAgain(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	b := connect(t, config, "payments")
	_, err := plainChannel(t, config.URL).QueueDelete(config.Prefix+".commands.payments", false, false, false)
	require.NoError(t, err)
	assert.Equal(t, wire.Returned, publishAll(t, b, commands("payments", 1))[0].Outcome)
	publish(t, b, commands("payments", 1))
}

func TestInspectReturnsDepthConsumersAndMissingQueues(t *testing.T) {
	t.Parallel()
	config := corner(t, "busy", "idle")
	b := connect(t, config, "busy", "idle")
	publish(t, b, commands("busy", 5))
	_, err := plainChannel(t, config.URL).Consume(config.Prefix+".commands.idle", "", false, false, false, false, nil)
	require.NoError(t, err)
	want := map[string]wire.QueueState{
		"busy": {Exists: true, Depth: 5}, "idle": {Exists: true, Consumers: 1}, "missing": {}, "gone": {},
	}
	require.Eventually(t, func() bool { // a quorum queue's numbers lag behind
		got, err := b.Inspect(t.Context(), []string{"missing", "busy", "gone", "idle"})
		return err == nil && assert.ObjectsAreEqual(want, got)
	}, patience, 50*time.Millisecond)
}

func TestClassicQueuesOrderByPriority(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	config.QueueType = rabbit.Classic
	b := connect(t, config, "payments")
	all := commands("payments", 3)
	all[1].Priority, all[2].Priority = 9, 5
	publish(t, b, all)
	channel := plainChannel(t, config.URL)
	for _, want := range []string{"saga-1/step/execute/1", "saga-2/step/execute/1", "saga-0/step/execute/1"} {
		got, ok, err := channel.Get(config.Prefix+".commands.payments", true)
		require.NoError(t, err)
		require.True(t, ok)
		assert.Equal(t, want, got.MessageId)
	}
}

func TestAnInvalidConfigIsRefusedWithoutItsPassword(t *testing.T) {
	t.Parallel()
	err := rabbit.Config{URL: "http://user:secret@host"}.Validate()
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "secret")
	require.Error(t, rabbit.Config{URL: "amqp://localhost", QueueType: "stream"}.Validate())
	require.NoError(t, rabbit.Config{URL: "amqp://localhost"}.Validate())
}

func TestRemoveLeavesNothingUnderAPrefix(t *testing.T) {
	t.Parallel()
	config := corner(t, "payments")
	b := rabbit.Connect(config)
	ready(t, b)
	require.NoError(t, b.DeclareQueues(t.Context(), []string{"payments"}))
	publish(t, b, commands("payments", 1))
	require.NoError(t, b.Close(t.Context()))
	for range 2 { // a missing queue counts as removed
		require.NoError(t, rabbit.Remove(t.Context(), config, []string{"payments"}))
	}
	for _, queue := range []string{".replies", ".start", ".dead", ".commands.payments"} {
		_, err := plainChannel(t, config.URL).QueueDeclarePassive(config.Prefix+queue, true, false, false, false, nil)
		assert.ErrorContains(t, err, "NOT_FOUND", queue)
	}
	for _, exchange := range []string{".commands", ".events", ".dead"} {
		err := plainChannel(t, config.URL).ExchangeDeclarePassive(config.Prefix+exchange, "direct", true, false, false, false, nil)
		assert.ErrorContains(t, err, "NOT_FOUND", exchange)
	}
}

// A worker that declares its queue as exclusive locks it. The broker then reports its state to that connection only.
func TestInspectReportsALockedQueueAndAllOthers(t *testing.T) {
	t.Parallel()
	config := corner(t, "before", "locked", "later")
	_, err := plainChannel(t, config.URL).QueueDeclare(config.Prefix+".commands.locked", false, false, true, false, nil)
	require.NoError(t, err)
	b := connect(t, config, "before", "later")
	publish(t, b, append(commands("before", 2), command("later", 2)))
	want := map[string]wire.QueueState{
		"before": {Exists: true, Depth: 2}, "locked": {Exists: true, Locked: true}, "later": {Exists: true, Depth: 1}, "missing": {},
	}
	require.Eventually(t, func() bool {
		got, err := b.Inspect(t.Context(), []string{"before", "locked", "later", "missing"})
		return err == nil && assert.ObjectsAreEqual(want, got)
	}, patience, 50*time.Millisecond)
}
