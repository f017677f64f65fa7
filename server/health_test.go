package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/server"
)

// untilHealth waits until a replica shows the only queue with a status.
func untilHealth(t *testing.T, s *server.Server, status string) (found resource.QueueHealth) {
	t.Helper()
	require.Eventually(t, func() bool {
		queues := list[resource.Queue](t, s.URL()+"/v1/queues")
		found = queues[0].Health
		return len(queues) == 1 && found.Status == status && found.Since != nil
	}, patience, 50*time.Millisecond)
	return found
}

func untilScraped(t *testing.T, s *server.Server, series string) {
	t.Helper()
	require.Eventually(t, func() bool {
		_, scraped := request(t, http.MethodGet, s.URL()+"/metrics", "")
		return strings.Contains(scraped, "\n"+series+"\n")
	}, patience, 50*time.Millisecond, series)
}

// Two replicas share Postgres and RabbitMQ. A queue becomes unhealthy and healthy again: both say so with the same time, also
// after a restart, and one event comes of each change.
func TestReplicasAgreeOnTheHealthOfQueues(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "work")
	config := server.Config{
		DatabaseURL: env.Database(t), AMQPURL: url, AMQPPrefix: prefix, Migrate: true,
		HealthConfig: server.HealthConfig{HealthInterval: time.Second},
	}
	first, endFirst := serving(t, config)
	second, _ := serving(t, config)
	ready(t, first)
	ready(t, second)
	events := subscribed(t, url, prefix)
	status, answer := request(t, http.MethodPut, first.URL()+"/v1/definitions/order", `{"steps":[{"name":"do","command":"work.do"}]}`)
	require.Equal(t, http.StatusCreated, status, answer)
	assert.Empty(t, untilHealth(t, second, "healthy").Reasons, "no worker, but no command is out")
	status, answer = request(t, http.MethodPost, first.URL()+"/v1/sagas", `{"definition":"order"}`)
	require.Equal(t, http.StatusCreated, status, answer)
	var started shownSaga
	require.NoError(t, json.Unmarshal([]byte(answer), &started))

	health := untilHealth(t, first, "unhealthy")
	assert.Equal(t, []string{"The queue has no consumer, and 1 command is out."}, health.Reasons)
	assert.Equal(t, health, untilHealth(t, second, "unhealthy"))
	endFirst()
	third, _ := serving(t, config)
	assert.Equal(t, health, untilHealth(t, third, "unhealthy"), "after a restart")
	untilScraped(t, second, `saga_queue_unhealthy{queue="work"} 1`)
	untilScraped(t, third, `saga_queue_unhealthy{queue="work"} 1`)
	status, answer = request(t, http.MethodGet, second.URL()+"/readyz?verbose", "")
	assert.Equal(t, http.StatusOK, status, "it does not fail readiness")
	var details resource.HealthDetails
	require.NoError(t, json.Unmarshal([]byte(answer), &details))
	assert.Equal(t, []resource.UnhealthyQueue{{Queue: "work", Reasons: health.Reasons, Since: *health.Since}}, details.UnhealthyQueues)

	status, answer = request(t, http.MethodPost, second.URL()+"/v1/sagas/"+started.ID+"/abandon", `{"reason":"a test"}`)
	require.Equal(t, http.StatusOK, status, answer)
	again := untilHealth(t, third, "healthy")
	assert.True(t, again.Since.After(health.Since.Time))
	untilScraped(t, second, `saga_queue_unhealthy{queue="work"} 0`)
	for _, wanted := range []string{"unhealthy", "healthy"} {
		select {
		case event := <-events:
			assert.Equal(t, "queue.work."+wanted, event.RoutingKey)
			assert.Contains(t, string(event.Body), `"subject":"work"`)
		case <-time.After(patience):
			require.Fail(t, "no event", wanted)
		}
	}
	assert.Empty(t, events)
}

// A queue that only sagas of an earlier version wait for is measured and checked, too.
func TestTheQueueOfAnEarlierVersionIsMeasured(t *testing.T) {
	t.Parallel()
	s := embedded(t, server.Config{HealthConfig: server.HealthConfig{HealthInterval: time.Second}})
	for _, queue := range []string{"old", "new"} {
		status, answer := request(t, http.MethodPut, s.URL()+"/v1/definitions/order", `{"steps":[{"name":"do","command":"`+queue+`.do"}]}`)
		require.Equal(t, http.StatusCreated, status, answer)
		if queue == "old" {
			status, answer = request(t, http.MethodPost, s.URL()+"/v1/sagas", `{"definition":"order"}`)
			require.Equal(t, http.StatusCreated, status, answer)
		}
	}
	untilScraped(t, s, `saga_queue_commands_out{queue="old"} 1`)
	untilScraped(t, s, `saga_queue_unhealthy{queue="old"} 1`)
	untilScraped(t, s, `saga_queue_commands_out{queue="new"} 0`)
	untilScraped(t, s, `saga_queue_unhealthy{queue="new"} 0`)
}

// subscribed returns the events of queues.
func subscribed(t *testing.T, url, prefix string) <-chan amqp.Delivery {
	t.Helper()
	connection, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, connection.Close()) })
	channel, err := connection.Channel()
	require.NoError(t, err)
	queue, err := channel.QueueDeclare("", false, true, true, false, nil)
	require.NoError(t, err)
	require.NoError(t, channel.QueueBind(queue.Name, "queue.#", prefix+".events", false, nil))
	events, err := channel.ConsumeWithContext(t.Context(), queue.Name, "", true, true, false, false, nil)
	require.NoError(t, err)
	return events
}
