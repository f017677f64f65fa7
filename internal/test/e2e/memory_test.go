package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"
)

// serve stays under 512 MiB with 256 running sagas whose data grows to 1 MB.
func TestServeStaysSmallWithLargeSagas(t *testing.T) {
	t.Parallel()
	const sagas, part = 256, 240_000
	fx := newFixture(t)
	p, a := fx.serve(freeAddress(t))
	var plan []map[string]any
	for i := range 5 {
		plan = append(plan, map[string]any{"name": fmt.Sprintf("s%d", i), "command": "payments.grow", "compensation": "payments.shrink", "timeout": "5m"})
	}
	a.must(http.StatusCreated, http.MethodPut, "/v1/definitions/large", map[string]any{"steps": plan}, nil)
	hold := make(chan struct{})
	growing(t, strings.TrimPrefix(fx.environment[1], "AMQP_URL="), fx.prefix, part, hold)
	var starts sync.WaitGroup
	for i := range sagas {
		starts.Go(func() {
			body := map[string]any{"definition": "large", "data": map[string]any{"n": i}}
			_, _ = a.call(http.MethodPost, "/v1/sagas", fmt.Sprintf("large-%d", i), body, nil) // counted below
		})
	}
	starts.Wait()
	close(hold) // all replies come at once
	ended := 0
	require.Eventually(t, func() bool {
		var stats struct{ Sagas map[string]map[string]int }
		_, err := a.call(http.MethodGet, "/v1/stats", "", nil, &stats)
		ended = stats.Sagas["large"]["completed"]
		return err == nil && ended == sagas
	}, 8*time.Minute, 500*time.Millisecond, "all have ended")
	largest := largestMemory(t, p.command.Process.Pid)
	t.Logf("largest resident size of serve: %d MiB", largest>>20)
	require.Less(t, largest, 512<<20)
}

// growing is a worker whose outputs grow the data with each step. It holds its replies until hold is closed.
func growing(t *testing.T, url, prefix string, part int, hold <-chan struct{}) {
	t.Helper()
	connection, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	channel, err := connection.Channel()
	require.NoError(t, err)
	require.NoError(t, channel.Qos(300, 0, false))
	commands, err := channel.Consume(prefix+".commands.payments", "", false, false, false, false, nil)
	require.NoError(t, err)
	go func() { // ends with the connection
		for command := range commands {
			<-hold
			step, _ := command.Headers["saga-step"].(string)
			reply, _ := json.Marshal(map[string]any{"status": "succeeded", "output": map[string]string{step: strings.Repeat("x", part)}})
			if step == "s4" { // the data is full
				reply = []byte(`{"status":"succeeded"}`)
			}
			_ = channel.PublishWithContext(context.Background(), "", command.ReplyTo, false, false, amqp.Publishing{
				CorrelationId: command.CorrelationId, Body: reply, DeliveryMode: amqp.Persistent,
			})
			_ = command.Ack(false)
		}
	}()
}

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// largestMemory returns the peak memory of a process.
func largestMemory(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	found := highWater.FindSubmatch(status)
	require.NotNil(t, found)
	kilobytes, err := strconv.Atoi(string(found[1]))
	require.NoError(t, err)
	return kilobytes << 10
}
