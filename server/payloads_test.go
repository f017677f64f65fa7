package server_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/server"
)

func payloadKey(id string, fill byte) string {
	return id + ":" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(fill), 32)))
}

// payloadDetails returns what a server says of its keys.
func payloadDetails(t *testing.T, s *server.Server) (status int, checks map[string]string, keys *resource.PayloadKeys) {
	t.Helper()
	status, answer := request(t, http.MethodGet, s.URL()+"/readyz?verbose", "")
	var details resource.HealthDetails
	require.NoError(t, json.Unmarshal([]byte(answer), &details))
	return status, details.Checks, details.PayloadKeys
}

func TestAServerKnowsTheKeysOfPayloads(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "work")
	config := server.Config{DatabaseURL: env.Database(t), AMQPURL: url, AMQPPrefix: prefix, Migrate: true}
	plain, _ := serving(t, config)
	ready(t, plain)
	_, _, keys := payloadDetails(t, plain)
	assert.Nil(t, keys, "without keys it says nothing of them")

	config.PayloadKeys = payloadKey("k1", 'a')
	first, endFirst := serving(t, config)
	ready(t, first)
	require.Eventually(t, func() bool {
		_, _, keys = payloadDetails(t, first)
		return keys != nil && keys.Current == "k1" && keys.Remaining == 0
	}, patience, 50*time.Millisecond)
	untilScraped(t, first, "saga_payload_rewrite_remaining 0")
	status, answer := request(t, http.MethodPut, first.URL()+"/v1/definitions/order", `{"steps":[{"name":"do","command":"work.do"}]}`)
	require.Equal(t, http.StatusCreated, status, answer)
	status, answer = request(t, http.MethodPost, first.URL()+"/v1/sagas", `{"definition":"order","data":{"card":"4111"}}`)
	require.Equal(t, http.StatusCreated, status, answer)
	var started shownSaga
	require.NoError(t, json.Unmarshal([]byte(answer), &started))
	require.Eventually(t, func() bool {
		status, checks, _ := payloadDetails(t, plain)
		return status == http.StatusServiceUnavailable && checks["payload_keys"] == "missing"
	}, patience, 50*time.Millisecond, "a replica that was started without keys is not ready any more")
	endFirst()

	again, _ := serving(t, config)
	_, answer = request(t, http.MethodGet, again.URL()+"/v1/sagas/"+started.ID, "")
	assert.Contains(t, answer, `"card":"4111"`)
	for _, lines := range []string{"", payloadKey("k2", 'b'), payloadKey("k1", 'b')} {
		config.PayloadKeys = lines
		_, err := server.Open(t.Context(), config)
		require.ErrorIs(t, err, record.ErrPayloadKeys)
		require.ErrorContains(t, err, "k1")
	}
	config.PayloadKeys = "k1:short"
	_, err := server.Open(t.Context(), config)
	require.ErrorContains(t, err, "payload keys: line 1: key k1: want the base64 of 32 bytes")
}

// withAndWithoutKey returns two replicas of one installation, of which one lacks the current key.
func withAndWithoutKey(t *testing.T, brokerURL, prefix string) (lacking, keyed *server.Server) {
	t.Helper()
	config := server.Config{DatabaseURL: env.Database(t), AMQPURL: brokerURL, AMQPPrefix: prefix, Migrate: true, PayloadKeys: payloadKey("k1", 'a')}
	lacking = embedded(t, config)
	ready(t, lacking)
	config.PayloadKeys = payloadKey("k2", 'b') + "\n" + payloadKey("k1", 'a')
	keyed = embedded(t, config)
	ready(t, keyed)
	return lacking, keyed
}

// A rotation in the wrong order: one replica encrypts with a key that the other lacks. That one gets replies and commands, too, and
// leaves them to the first.
func TestAReplicaThatLacksAKeyKeepsNothingFromTheOther(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "work")
	lacking, keyed := withAndWithoutKey(t, url, prefix)
	status, answer := request(t, http.MethodPut, keyed.URL()+"/v1/definitions/order", `{"steps":[{"name":"do","command":"work.do","timeout":"1h"}]}`)
	require.Equal(t, http.StatusCreated, status, answer)
	status, answer = request(t, http.MethodPatch, keyed.URL()+"/v1/queues/work", `{"max_out":5}`)
	require.Equal(t, http.StatusOK, status, answer)
	work(t, url, prefix, "work", "work.do")
	for range 20 {
		begun := time.Now()
		status, answer = request(t, http.MethodPost, keyed.URL()+"/v1/sagas?wait=20s", `{"definition":"order","data":{"card":"4111"}}`)
		require.Equal(t, http.StatusCreated, status, answer)
		require.Contains(t, answer, `"status":"completed"`)
		assert.Less(t, time.Since(begun), 15*time.Second)
	}
	require.Empty(t, list[struct{ ID string }](t, keyed.URL()+"/v1/dead-letters"))
	require.Eventually(t, func() bool {
		status, checks, _ := payloadDetails(t, lacking)
		return status == http.StatusServiceUnavailable && checks["payload_keys"] == "missing"
	}, patience, 50*time.Millisecond)
}

func TestAReplicaThatLacksAKeyLeavesSignalsAndActionsToTheOther(t *testing.T) {
	t.Parallel()
	url, prefix := env.Broker(t, "work")
	lacking, keyed := withAndWithoutKey(t, url, prefix)
	status, answer := request(t, http.MethodPut, keyed.URL()+"/v1/definitions/order", `{"steps":[{"name":"paid","signal":"paid"},{"name":"do","command":"work.do"}]}`)
	require.Equal(t, http.StatusCreated, status, answer)
	status, answer = request(t, http.MethodPost, keyed.URL()+"/v1/sagas", `{"definition":"order","data":{"card":"4111"}}`)
	require.Equal(t, http.StatusCreated, status, answer)
	var started shownSaga
	require.NoError(t, json.Unmarshal([]byte(answer), &started))
	path := "/v1/sagas/" + started.ID
	for _, one := range [][2]string{
		{"/signals/paid", `{}`},
		{"/pause", `{"reason":"r"}`},
		{"/compensate", `{"reason":"r"}`},
		{"/retry", `{"reason":"r"}`},
		{"/skip", `{"reason":"r","step":"do"}`},
		{"/rewind", `{"reason":"r","to":"paid"}`},
	} {
		status, answer = request(t, http.MethodPost, lacking.URL()+path+one[0], one[1])
		var refused resource.Problem
		require.NoError(t, json.Unmarshal([]byte(answer), &refused))
		assert.Equal(t, http.StatusServiceUnavailable, status, "%s: %s", one[0], answer)
		assert.Equal(t, resource.CodeUnavailable, refused.Code)
		assert.Contains(t, refused.Detail, "This replica lacks the key k2")
		assert.Empty(t, refused.AllowedActions)
	}
	for _, look := range []string{path, path + "/why"} {
		_, answer = request(t, http.MethodGet, lacking.URL()+look, "")
		assert.Contains(t, answer, "This replica lacks the key k2")
		assert.Contains(t, answer, `"allowed_actions":[]`, "the saga goes on elsewhere")
		assert.NotContains(t, answer, "an operator abandons it")
	}

	action := `{"action":"pause","reason":"r","filter":{"ids":["` + started.ID + `"]}}`
	status, answer = request(t, http.MethodPost, lacking.URL()+"/v1/sagas/actions", action)
	require.Equal(t, http.StatusAccepted, status, answer)
	require.Eventually(t, func() bool {
		_, answer = request(t, http.MethodGet, lacking.URL()+"/v1/actions", "")
		return strings.Contains(answer, `"status":"completed"`)
	}, patience, 50*time.Millisecond, "the other replica carries out a bulk action")
	assert.Contains(t, answer, `"done":1`)
	status, answer = request(t, http.MethodPost, keyed.URL()+path+"/signals/paid", `{}`)
	assert.Equal(t, http.StatusOK, status, answer)
}
