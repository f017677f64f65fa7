package store_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// unopened are rows whose payload looks sealed, by a key that there never was, each beside a row that is as it should be.
const unopened = `
	insert into events (sink, at, subject, seq, type, definition, data)
		values ('amqp', now() - interval '1 hour', '01A', 1, 'saga.started', 'order', '"sealed:1:x:zzzz"'), ('amqp', now(), '01B', 1, 'saga.started', 'order', '{}');
	insert into webhooks (name, url, events, secret, created_at, updated_at) values ('pager', 'https://example.com', '{saga.stuck}', 'x', now(), now());
	insert into webhook_deliveries (webhook, event_id, type, body)
		values ('pager', 'a', 'saga.stuck', decode('00736c31' || repeat('00', 200), 'hex')), ('pager', 'b', 'saga.stuck', '{}');
	insert into bulk_actions (id, kind, action, filter, parameters, reason, actor, rate, canary, stop_after, status, created_at)
		values ('a', 'sagas', 'pause', '{}', '"sealed:1:x:zzzz"', '', '', 0, 0, 0, 'running', now()), ('b', 'sagas', 'pause', '{}', '{}', '', '', 0, 0, 0, 'running', now())`

// A replica that lacks a key leaves all to others: what it cannot open may be whole. With its keys it goes on with the rest.
func TestARowThatNoKeyOpensStopsNoOther(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	keyed, keyless := openSealed(t, url, sealedBy(t, key("k1", 1))), open(t, store.Config{DatabaseURL: url})
	storetest.NewFixture(t, keyed).Start(saga.Start{})
	d := damage{t, connect(t, url)}
	d.exec(`delete from events`)
	_, err := d.conn.Exec(t.Context(), unopened, pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)

	_, err = keyless.NextEvents(t.Context(), record.SinkAMQP, 10)
	require.ErrorIs(t, err, record.ErrPayloadKeys)
	_, _, err = keyless.Bulks(t.Context(), record.Page{Limit: 10})
	require.ErrorIs(t, err, record.ErrPayloadKeys)
	_, err = keyless.ClaimBulks(t.Context(), "one", time.Hour)
	require.ErrorIs(t, err, record.ErrPayloadKeys)

	events, err := keyed.NextEvents(t.Context(), record.SinkAMQP, 10)
	require.NoError(t, err)
	require.Len(t, events, 2)
	assert.JSONEq(t, `{"unreadable":"the data of this event cannot be read"}`, string(events[0].Data))
	assert.JSONEq(t, `{}`, string(events[1].Data))
	d.exec(`insert into events (sink, at, subject, seq, type, definition, data) values ('amqp', now(), '01C', 1, 'saga.started', 'order', $1)`,
		`{"a":`+strings.Repeat("[", 10_000)+strings.Repeat("]", 10_000)+`}`)
	events, err = keyed.NextEvents(t.Context(), record.SinkAMQP, 10)
	require.NoError(t, err)
	require.Len(t, events, 3)
	assert.JSONEq(t, `{"unreadable":"the data of this event cannot be read"}`, string(events[2].Data), "Go cannot encode it")
	require.NoError(t, keyed.AddDeliveries(t.Context(), []record.Delivery{{Webhook: strings.Repeat("x", 2650), EventID: "c", Type: "saga.stuck", Body: []byte("{}")}}))
	deliveries, err := keyed.ClaimDeliveries(t.Context(), record.DeliveryClaim{Room: map[string]int{"pager": 10}, Lease: time.Hour})
	require.NoError(t, err)
	require.Len(t, deliveries, 2)
	for _, delivery := range deliveries {
		assert.Equal(t, delivery.EventID == "a", delivery.Unreadable != nil)
	}
	actions, err := keyed.ClaimBulks(t.Context(), "two", time.Hour)
	require.NoError(t, err)
	assert.Len(t, actions, 2, "the other replica has claimed none")
	listed, _, err := keyed.Bulks(t.Context(), record.Page{Limit: 10})
	require.NoError(t, err)
	assert.Len(t, listed, 2)
}
