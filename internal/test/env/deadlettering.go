package env

import (
	"strconv"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/servers"
)

// OwnBroker starts a RabbitMQ for this test alone.
func OwnBroker(t testing.TB) (url string, server *Server) {
	t.Helper()
	session, err := servers.Open("")
	if err != nil {
		t.Fatalf("open a session of servers: %v", err)
	}
	t.Cleanup(session.Close)
	variables, err := session.Own(t.Context(), servers.RabbitMQ)
	if err != nil {
		t.Fatalf("start RabbitMQ: %v", err)
	}
	return variables["AMQP_URL"], ServerIn(t, variables["TESTENV_RABBITMQ_DIR"])
}

// PoisonedQueue is the queue in which EndDeadLettering leaves its messages. Dead-lettering works again once it is deleted and the
// node has restarted.
const PoisonedQueue = "poisoned"

// EndDeadLettering makes a RabbitMQ 3.10 node dead-letter nothing any more, by messages with an odd header x-death that are
// rejected. Only a broker that the test owns may suffer that.
func EndDeadLettering(t testing.TB, url string) {
	t.Helper()
	conn, err := amqp.Dial(url)
	if err != nil {
		t.Fatalf("connect to RabbitMQ: %v", err)
	}
	defer conn.Close()
	channel, err := conn.Channel()
	if err != nil {
		t.Fatalf("open a channel: %v", err)
	}
	must := func(what string, err error) {
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	const queue, messages = PoisonedQueue, 3 // one for each restart that its supervisor allows
	_, err = channel.QueueDeclare(queue, true, false, false, false, amqp.Table{
		amqp.QueueTypeArg: "quorum", "x-dead-letter-exchange": "amq.fanout", "x-dead-letter-strategy": "at-least-once",
		amqp.QueueOverflowArg: amqp.QueueOverflowRejectPublish,
	})
	must("declare a queue", err)
	must("confirm", channel.Confirm(false))
	for i := range messages {
		confirm, err := channel.PublishWithDeferredConfirm("", queue, true, false, amqp.Publishing{
			MessageId: strconv.Itoa(i), Headers: amqp.Table{"x-death": []any{"nope"}},
		})
		must("publish", err)
		if !confirm.Wait() {
			t.Fatal("the broker refuses a message")
		}
	}
	for left, deadline := messages, time.Now().Add(patience); left > 0; {
		delivery, found, err := channel.Get(queue, false)
		must("get a message", err)
		if found {
			must("reject it", delivery.Reject(false))
			left--
		} else if time.Now().After(deadline) {
			t.Fatal("the messages do not come")
		}
	}
}
