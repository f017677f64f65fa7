package wire_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

func TestAnEventIsACloudEvent(t *testing.T) {
	t.Parallel()
	e := wire.Event{
		Subject: "01JDBV8M5ZK7Q9GW3N1T4RXYEA", Seq: 12, Type: "saga.completed", Definition: "order",
		At: time.Date(2026, 11, 23, 10, 0, 2, 500_000_000, time.FixedZone("", 3600)), Data: json.RawMessage(`{"a":"<b>"}`),
	}
	assert.Equal(t, "order.saga.completed", e.RoutingKey())
	body, err := e.Encode(wire.EventSource("saga"))
	require.NoError(t, err)
	assert.Equal(t, //nolint:testifylint // byte by byte: a repeated event has the same body
		`{"specversion":"1.0","id":"01JDBV8M5ZK7Q9GW3N1T4RXYEA/12","source":"/saga","type":"saga.completed",`+
			`"subject":"01JDBV8M5ZK7Q9GW3N1T4RXYEA","time":"2026-11-23T09:00:02.5Z","datacontenttype":"application/json","data":{"a":"<b>"}}`, string(body))
	read, err := wire.DecodeEvent(body)
	require.NoError(t, err)
	assert.Equal(t, []string{e.ID(), e.Type, e.Subject, "/saga"}, []string{read.ID, read.Type, read.Subject, read.Source})
}

func TestTheEventOfAQueueHasAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	e := wire.Event{Subject: "payments", Seq: 3, Type: "queue.unhealthy"}
	assert.Equal(t, "queue.payments.unhealthy", e.RoutingKey())
	assert.Equal(t, "payments/3", e.ID())
}

func TestWhatIsNoCloudEventIsRefused(t *testing.T) {
	t.Parallel()
	for _, body := range []string{``, `{`, `[]`, `{"specversion":"0.3","id":"a","type":"b"}`, `{"specversion":"1.0","type":"b"}`, `{"specversion":"1.0","id":"a"}`} {
		_, err := wire.DecodeEvent([]byte(body))
		require.Error(t, err, body)
	}
}
