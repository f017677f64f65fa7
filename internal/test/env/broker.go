package env

import (
	"fmt"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// Broker returns the URL of AMQP_URL and a unique prefix for the names of exchanges and queues. When the test ends, it
// deletes the orchestrator's exchanges and queues under the prefix, and the command queues of the worker queues named
// here. They must be named because AMQP cannot list queues.
func Broker(t testing.TB, workerQueues ...string) (url, prefix string) {
	t.Helper()
	url = require(t, "AMQP_URL", "RabbitMQ")
	prefix = "t-" + unique()
	queues := []string{prefix + ".replies", prefix + ".dead", prefix + ".start", prefix + ".installation", prefix + ".check"}
	for _, queue := range workerQueues {
		queues = append(queues, prefix+".commands."+queue)
	}
	exchanges := []string{prefix + ".commands", prefix + ".events", prefix + ".dead", prefix + ".checked"}
	t.Cleanup(func() {
		if err := deleteAll(url, queues, exchanges); err != nil {
			t.Errorf("clean up the broker after the test: %v", err)
		}
	})
	return url, prefix
}

// deleteAll deletes queues and exchanges with their content. RabbitMQ accepts the deletion of missing ones.
func deleteAll(url string, queues, exchanges []string) error {
	conn, err := amqp.DialConfig(url, amqp.Config{Dial: amqp.DefaultDial(patience)})
	if err != nil {
		return fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	defer conn.Close()
	channel, err := conn.Channel()
	if err != nil {
		return fmt.Errorf("open a channel: %w", err)
	}
	for _, queue := range queues {
		if _, err := channel.QueueDelete(queue, false, false, false); err != nil {
			return fmt.Errorf("delete queue %s: %w", queue, err)
		}
	}
	for _, exchange := range exchanges {
		if err := channel.ExchangeDelete(exchange, false, false); err != nil {
			return fmt.Errorf("delete exchange %s: %w", exchange, err)
		}
	}
	return nil
}
