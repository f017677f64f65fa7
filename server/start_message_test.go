package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/server"
)

const patience = 30 * time.Second

// starter is a program that starts sagas by message.
type starter struct {
	t       *testing.T
	channel *amqp.Channel
	queue   string
}

func newStarter(t *testing.T, url, prefix string) *starter {
	t.Helper()
	connection, err := amqp.Dial(url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	channel, err := connection.Channel()
	require.NoError(t, err)
	require.NoError(t, channel.Confirm(false))
	return &starter{t: t, channel: channel, queue: prefix + ".start"}
}

func (s *starter) send(message amqp.Publishing) {
	s.t.Helper()
	confirm, err := s.channel.PublishWithDeferredConfirmWithContext(s.t.Context(), "", s.queue, true, false, message)
	require.NoError(s.t, err)
	require.True(s.t, confirm.Wait())
}

// ready waits until the server's queues are declared.
func ready(t *testing.T, s *server.Server) {
	t.Helper()
	require.Eventually(t, func() bool {
		status, _ := request(t, http.MethodGet, s.URL()+"/readyz", "")
		return status == http.StatusOK
	}, patience, 20*time.Millisecond)
}

// left returns the number of messages in the start queue.
func (s *starter) left() int {
	s.t.Helper()
	state, err := s.channel.QueueDeclarePassive(s.queue, true, false, false, false, nil)
	require.NoError(s.t, err)
	return state.Messages
}

// list reads a list of the API.
func list[T any](t *testing.T, url string) []T {
	t.Helper()
	status, answer := request(t, http.MethodGet, url, "")
	require.Equal(t, http.StatusOK, status, answer)
	var found struct{ Items []T }
	require.NoError(t, json.Unmarshal([]byte(answer), &found))
	return found.Items
}

type shownSaga struct{ ID, Key string }

type shownLetter struct {
	Source, Reason, Message string
	SagaID                  string `json:"saga_id"`
}

func TestSagasAreStartedByMessage(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "shop")
	s, _ := serving(t, server.Config{DatabaseURL: env.Database(t), AMQPURL: url, AMQPPrefix: prefix, Migrate: true})
	ready(t, s)
	status, answer := request(t, http.MethodPut, s.URL()+"/v1/definitions/order",
		`{"steps":[{"name":"reserve","command":"shop.reserve","compensation":"shop.release"}]}`)
	require.Equal(t, http.StatusCreated, status, answer)
	program := newStarter(t, url, prefix)

	const trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	good := amqp.Publishing{
		MessageId: "m-1", Headers: amqp.Table{"traceparent": trace}, DeliveryMode: amqp.Persistent,
		Body: []byte(`{"definition":"order","key":"order-1","data":{"a":1}}`),
	}
	bad := []amqp.Publishing{
		{MessageId: "m-2", Body: []byte("\xff\x00")},
		{Body: good.Body},
		{MessageId: strings.Repeat("é", 127), Body: []byte(`{"definition":"order","priority":99}`)},
		{MessageId: "m-3", Body: []byte(`{"definition":"nothing"}`)},
		{MessageId: "m-1", Body: []byte(`{"definition":"order"}`)},
		{MessageId: "m-4", Body: []byte(`{"definition":"order","key":"order-1"}`)},
		{MessageId: "m-5", Headers: amqp.Table{"nested": amqp.Table{"x": []any{int32(1), "\xff"}}}, Body: []byte(`{}`)},
	}
	program.send(good)
	require.Eventually(t, func() bool { return len(list[shownSaga](t, s.URL()+"/v1/sagas")) == 1 }, patience, 20*time.Millisecond)
	for _, message := range append(bad, good) { // the valid message is sent twice
		program.send(message)
	}
	require.Eventually(t, func() bool {
		return len(list[shownLetter](t, s.URL()+"/v1/dead-letters?limit=500")) == len(bad)
	}, patience, 20*time.Millisecond)
	reasons := make(map[string]int)
	started := list[shownSaga](t, s.URL()+"/v1/sagas")
	require.Len(t, started, 1, "a repeated message returns the same saga")
	for _, letter := range list[shownLetter](t, s.URL()+"/v1/dead-letters?limit=500") {
		require.Equal(t, "start", letter.Source)
		reasons[letter.Reason]++
		if letter.Reason == "key_in_use" {
			require.Equal(t, started[0].ID, letter.SagaID)
		}
	}
	require.Equal(t, map[string]int{
		"malformed_start": 4, "definition_not_found": 1, "idempotency_conflict": 1, "key_in_use": 1,
	}, reasons)
	require.Zero(t, program.left())

	command, found, err := program.channel.Get(prefix+".commands.shop", true)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, trace, command.Headers["traceparent"], "the command carries the trace")
	_, history := request(t, http.MethodGet, s.URL()+"/v1/sagas/"+started[0].ID+"/history", "")
	require.Contains(t, history, `"actor":"amqp"`)

	// A start by REST with the same key and body also returns the same saga.
	status, answer = requestAs(t, "m-1", s.URL()+"/v1/sagas", string(good.Body))
	require.Equal(t, http.StatusOK, status, answer)
	require.Contains(t, answer, started[0].ID)
}

func requestAs(t *testing.T, idempotencyKey, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", idempotencyKey)
	return answered(t, r)
}

func TestNoStartByMessageIsLostWhenAReplicaEnds(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "shop")
	config := server.Config{DatabaseURL: env.Database(t), AMQPURL: url, AMQPPrefix: prefix, Migrate: true}
	first, end := serving(t, config)
	ready(t, first)
	status, answer := request(t, http.MethodPut, first.URL()+"/v1/definitions/order",
		`{"steps":[{"name":"reserve","command":"shop.reserve"}]}`)
	require.Equal(t, http.StatusCreated, status, answer)
	program := newStarter(t, url, prefix)
	const wanted = 300
	var sending sync.WaitGroup
	sending.Go(func() {
		for i := range wanted {
			program.send(amqp.Publishing{MessageId: fmt.Sprintf("m-%d", i), DeliveryMode: amqp.Persistent, Body: []byte(`{"definition":"order"}`)})
			if i == wanted/2 {
				go end()
			}
		}
	})
	sending.Wait()
	end()
	second, _ := serving(t, config)
	require.Eventually(t, func() bool {
		return len(list[shownSaga](t, second.URL()+"/v1/sagas?limit=500")) == wanted && program.left() == 0
	}, patience, 50*time.Millisecond)
	require.Empty(t, list[shownLetter](t, second.URL()+"/v1/dead-letters"))
}
