package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/proxy"
)

// On SIGTERM, serve ends within 10 s, whatever is unavailable, however much it has taken in, and with callers still
// connected.
func TestServeEndsWithinTenSecondsWhateverIsUnavailable(t *testing.T) { //nolint:tparallel // each subtest measures a time
	t.Parallel()
	nothing := func(*proxy.Proxy) {}
	for name, away := range map[string]struct{ database, broker func(*proxy.Proxy) }{ // nil: available
		"everything is available":       {},
		"Postgres stalls":               {database: nothing}, // it stands still already while messages pile up
		"Postgres is down":              {database: (*proxy.Proxy).Down},
		"RabbitMQ stalls":               {broker: (*proxy.Proxy).Stall},
		"both stall":                    {database: nothing, broker: (*proxy.Proxy).Stall},
		"both are down":                 {database: (*proxy.Proxy).Down, broker: (*proxy.Proxy).Down},
		"one stalls, the other is down": {database: nothing, broker: (*proxy.Proxy).Down},
	} {
		t.Run(name, func(t *testing.T) { //nolint:paralleltest // each measures a time
			fx := newFixture(t)
			directURL := strings.TrimPrefix(fx.environment[1], "AMQP_URL=")
			database, databaseURL, err := proxy.Start(fx.databaseURL)
			require.NoError(t, err)
			t.Cleanup(database.Close)
			broker, brokerURL, err := proxy.Start(directURL)
			require.NoError(t, err)
			t.Cleanup(broker.Close)
			t.Cleanup(func() { database.Flow(); broker.Flow() })
			fx.environment = append(fx.environment, "DATABASE_URL="+databaseURL, "AMQP_URL="+brokerURL)
			address := freeAddress(t)
			p, a := fx.serve(address)
			a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/pay", paymentsDefinition(), nil)
			var started struct{ ID string }
			a.must(http.StatusCreated, http.MethodPost, "/v1/sagas", map[string]any{"definition": "pay"}, &started)

			if away.database != nil {
				database.Stall() // so that what comes in piles up
			}
			holdCalls(t, address, started.ID)
			flood(t, directURL, fx.prefix, started.ID)
			for proxy, breaks := range map[*proxy.Proxy]func(*proxy.Proxy){database: away.database, broker: away.broker} {
				if breaks != nil {
					breaks(proxy)
				}
			}
			took := p.stop()
			t.Logf("ended after %s", took.Round(10*time.Millisecond))
			require.Less(t, took, 10*time.Second)
			require.NotContains(t, p.output.String(), "did not stop in time", "every part must end in time")
		})
	}
}

// holdCalls keeps a stream and waiting calls open until the test ends.
func holdCalls(t *testing.T, address, sagaID string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var calls sync.WaitGroup
	t.Cleanup(func() { cancel(); calls.Wait() })
	hold := func(method, path, body string) {
		calls.Go(func() {
			request, err := http.NewRequestWithContext(ctx, method, "http://"+address+path, strings.NewReader(body))
			if err != nil {
				return
			}
			request.Header.Set("Content-Type", "application/json")
			response, err := http.DefaultClient.Do(request)
			if err == nil { // this client has stopped reading
				<-ctx.Done()
				_ = response.Body.Close()
			}
		})
	}
	hold(http.MethodGet, "/v1/sagas/"+sagaID+"/watch", "")
	hold(http.MethodGet, "/v1/sagas/"+sagaID+"?wait=30s&since=1000", "")
	for range 50 {
		hold(http.MethodPost, "/v1/sagas", `{"definition":"pay"}`)
	}
}

// flood fills the orchestrator's own queues with more than its lanes and its prefetch can hold.
func flood(t *testing.T, url, prefix, sagaID string) {
	t.Helper()
	connection, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	channel, err := connection.Channel()
	require.NoError(t, err)
	const messages = 3000
	for i := range messages {
		id := fmt.Sprintf("%s-%d/charge/execute/1", sagaID, i)
		for queue, body := range map[string]string{"replies": `{"status":"succeeded"}`, "dead": `{}`, "start": `{"definition":"pay"}`} {
			require.NoError(t, channel.PublishWithContext(t.Context(), "", prefix+"."+queue, false, false, amqp.Publishing{
				MessageId: id, CorrelationId: id, Body: []byte(body),
			}))
		}
	}
	require.Eventually(t, func() bool { // the consumers have reached their prefetch
		for _, queue := range []string{"replies", "dead", "start"} {
			state, err := channel.QueueDeclarePassive(prefix+"."+queue, true, false, false, false, nil)
			if err != nil || state.Messages > messages-50 {
				return false
			}
		}
		return true
	}, 20*time.Second, 20*time.Millisecond, "%s is not consumed", prefix)
}
