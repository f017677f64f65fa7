package e2e

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	rest "github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// protocolBlock matches a fenced block of docs/protocol.md: its language, its subject, and its text.
var protocolBlock = regexp.MustCompile("(?ms)^```(json|sql|redis) ([a-z, ]+)\n(.*?)^```$")

// protocolExamples returns the examples of the page by subject.
func protocolExamples(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile("../../../docs/protocol.md")
	require.NoError(t, err)
	found := make(map[string][]string)
	for _, block := range protocolBlock.FindAllStringSubmatch(string(page), -1) {
		found[block[2]] = append(found[block[2]], block[3])
	}
	return found
}

// documentedCommand is a command as docs/protocol.md shows it.
type documentedCommand struct {
	Properties map[string]any `json:"properties"`
	Headers    map[string]any `json:"headers"`
	Body       any            `json:"body"`
}

// The worker reads from RabbitMQ what docs/protocol.md shows.
func TestTheProtocolsCommandsAreWhatTheBrokerDelivers(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "payments")
	broker := rabbit.Connect(rabbit.Config{URL: url, Prefix: prefix, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { require.NoError(t, broker.Close(context.Background())) })
	require.Eventually(t, func() bool { return broker.Ready() == nil }, time.Minute, 10*time.Millisecond)
	require.NoError(t, broker.DeclareQueues(t.Context(), []string{"payments"}))
	conn, err := amqp.Dial(url)
	require.NoError(t, err)
	defer conn.Close()
	channel, err := conn.Channel()
	require.NoError(t, err)
	deliveries, err := channel.Consume(prefix+".commands.payments", "", true, false, false, false, nil)
	require.NoError(t, err)

	examples := protocolExamples(t)["command"]
	require.Len(t, examples, 2)
	for _, example := range examples {
		var shown documentedCommand
		require.NoError(t, json.Unmarshal([]byte(example), &shown))
		command := commandOf(t, shown)
		broker.Publish(t.Context(), []wire.Command{command}, func(int, wire.Receipt) {})
		assert.Equal(t, shown, documented(t, <-deliveries, prefix))
	}
}

// A worker reads which execution a compensation is for, and that there was none.
func TestTheProtocolsCompensationNamesItsExecution(t *testing.T) {
	t.Parallel()
	examples := protocolExamples(t)["command body"]
	require.Len(t, examples, 2)
	id := saga.CommandID{Saga: "01JDBV8M5ZK7Q9GW3N1T4RXYEA", Step: "charge-payment", Direction: saga.Compensate, Round: 1, Attempt: 1}
	for i, example := range examples {
		read, err := wire.DecodeCommand(wire.Message{CorrelationID: id.String(), Type: "payments.refund", ReplyTo: "r", Body: []byte(example)})
		require.NoError(t, err)
		command := wire.EncodeCommand(&saga.Instance{ID: id.Saga}, saga.Command{
			ID: id, Data: read.Data, Output: read.Output, Compensates: read.Compensates, Waited: read.Waited,
		})
		assert.Equal(t, i == 0, read.Compensates != "")
		assert.Equal(t, i == 1, read.Waited)
		assert.JSONEq(t, example, string(command.Body))
	}
}

// commandOf returns the command of an example, made by the production code.
func commandOf(t *testing.T, shown documentedCommand) wire.Command {
	t.Helper()
	id, err := saga.ParseCommandID(shown.Properties["correlation_id"].(string))
	require.NoError(t, err)
	body := shown.Body.(map[string]any)
	instance := &saga.Instance{ID: id.Saga, Definition: "order", Version: 3}
	return wire.EncodeCommand(instance, saga.Command{
		ID: id, Name: shown.Properties["type"].(string), Queue: "payments", Timeout: 30 * time.Second, Priority: 5,
		Data: encoded(t, body["data"]), Output: encoded(t, body["output"]),
	})
}

func encoded(t *testing.T, value any) json.RawMessage {
	t.Helper()
	if value == nil {
		return nil
	}
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return text
}

// documented shows a delivery as the page does. The page's times and prefix replace those of the delivery.
func documented(t *testing.T, d amqp.Delivery, prefix string) documentedCommand {
	t.Helper()
	deadline, err := time.Parse(time.RFC3339, d.Headers["saga-deadline"].(string))
	require.NoError(t, err)
	assert.WithinDuration(t, d.Timestamp.Add(30*time.Second), deadline, 2*time.Second)
	shown := documentedCommand{
		Properties: map[string]any{
			"message_id": d.MessageId, "correlation_id": d.CorrelationId, "type": d.Type,
			"reply_to": strings.Replace(d.ReplyTo, prefix, "saga", 1), "content_type": d.ContentType,
			"delivery_mode": float64(d.DeliveryMode), "priority": float64(d.Priority), "timestamp": "2026-11-23T10:00:00Z",
		},
		Headers: make(map[string]any),
	}
	for name, value := range d.Headers {
		if number, is := value.(int64); is {
			value = float64(number)
		}
		shown.Headers[name] = value
	}
	shown.Headers["saga-deadline"] = "2026-11-23T10:00:30Z"
	require.NoError(t, json.Unmarshal(d.Body, &shown.Body))
	return shown
}

// Each reply on the page is decoded as the page says.
func TestTheProtocolsRepliesAreDecodedAsItSays(t *testing.T) {
	t.Parallel()
	const id = "01JDBV8M5ZK7Q9GW3N1T4RXYEA/charge-payment/execute/2"
	examples := protocolExamples(t)
	for _, example := range examples["reply succeeded"] {
		reply, err := wire.DecodeReply(id, []byte(example))
		require.NoError(t, err)
		assert.True(t, reply.Succeeded, example)
	}
	for _, retryable := range []bool{false, true} {
		kind := map[bool]string{false: "reply failed, not retryable", true: "reply failed, retryable"}[retryable]
		require.NotEmpty(t, examples[kind])
		reply, err := wire.DecodeReply(id, []byte(examples[kind][0]))
		require.NoError(t, err)
		assert.Equal(t, retryable, reply.Error.Retryable, kind)
	}
	require.Len(t, examples["reply refused"], 3)
	for _, example := range examples["reply refused"] {
		_, err := wire.DecodeReply(id, []byte(example))
		assert.Error(t, err, example)
	}
}

func TestTheProtocolsStartIsAccepted(t *testing.T) {
	t.Parallel()
	examples := protocolExamples(t)["start"]
	require.Len(t, examples, 1)
	request, err := rest.DecodeStartMessage(wire.Message{MessageID: "k1", Body: []byte(examples[0])}, time.Now())
	require.NoError(t, err)
	assert.Equal(t, "order-42", request.Key)
}

// The barrier transaction on the page takes effect once, however often it runs.
func TestTheProtocolsBarrierTransactionTakesEffectOnce(t *testing.T) {
	t.Parallel()
	conn, err := pgxpool.New(t.Context(), env.Database(t))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, steps.NewBarrier(conn).Install(t.Context()))
	_, err = conn.Exec(t.Context(), "CREATE TABLE charges (id text PRIMARY KEY, amount integer)")
	require.NoError(t, err)
	examples := protocolExamples(t)["barrier"]
	require.Len(t, examples, 1)
	_, err = conn.Exec(t.Context(), examples[0])
	require.NoError(t, err)

	var charges int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT count(*) FROM charges").Scan(&charges))
	assert.Equal(t, 1, charges)
	verdicts := protocolExamples(t)
	begin := regexp.MustCompile(`SELECT (saga_barrier_begin\([^;]*\))`).FindStringSubmatch(examples[0])
	verdict := func(call string) (text string) {
		require.NoError(t, conn.QueryRow(t.Context(), "SELECT "+call+"::text").Scan(&text))
		return text
	}
	assert.JSONEq(t, verdicts["verdict reply"][0], verdict(begin[1]))
	assert.JSONEq(t, verdicts["verdict run"][0], verdict("saga_barrier_begin('s/other/execute')"))
	assert.JSONEq(t, verdicts["verdict run"][1], verdict(strings.Replace(begin[1], "execute", "compensate", 1)))
	verdict("saga_barrier_begin('s/third/compensate')")
	assert.JSONEq(t, verdicts["verdict refused"][0], verdict("saga_barrier_begin('s/third/execute')"))
}
