package store_test

import (
	"errors"
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
	claimed, err := keyless.ClaimBulks(t.Context(), "one", time.Hour)
	require.NoError(t, err)
	require.Empty(t, claimed, "it leaves them to a replica that can read sagas")

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

// A replica that lacks a key neither takes nor delays the commands that others have sealed with it.
func TestAReplicaThatLacksAKeyLeavesCommandsToOthers(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	other := openSealed(t, url, sealedBy(t, key("k1", 1)))
	keyed := openSealed(t, url, sealedBy(t, key("k2", 2), key("k1", 1)))
	wrong := open(t, store.Config{DatabaseURL: url, Keys: sealedBy(t, key("k2", 3), key("k1", 1))})
	w, plain, d := storetest.NewFixture(t, keyed), storetest.NewFixture(t, other), damage{t, connect(t, url)}
	_, err := keyed.SetQueue(t.Context(), "inventory", func(s *record.QueueSettings) error { s.MaxOut = 1; return nil })
	require.NoError(t, err)
	claim := record.HeldClaim{Queue: "inventory", Limit: 10}
	w.Held = true
	damaged := w.Start(saga.Start{Priority: 9}).ID
	sealed := w.Start(saga.Start{Priority: 9})
	d.exec(`update outbox set body = overlay(body placing '\xffff' from 30) where saga_id = $1`, damaged)
	for _, lacking := range []*store.Store{other, wrong} {
		require.Eventually(t, func() bool {
			released, err := lacking.ReleaseHeld(t.Context(), claim)
			require.Empty(t, released)
			return errors.Is(err, record.ErrPayloadKeys)
		}, 10*time.Second, 5*time.Millisecond)
		released, err := lacking.ReleaseHeld(t.Context(), claim)
		require.NoError(t, err, "it knows now")
		require.Empty(t, released)
	}
	plain.Held = true
	openable := plain.Start(saga.Start{})
	released, err := other.ReleaseHeld(t.Context(), claim)
	require.NoError(t, err)
	require.Len(t, released, 1, "what it left has no place")
	assert.Equal(t, openable.ID, released[0].ID.Saga)
	plain.Held = false
	plain.Apply(openable.ID, storetest.Succeed(openable.ID, "reserve", `{}`))
	released, err = keyed.ReleaseHeld(t.Context(), claim)
	require.ErrorContains(t, err, damaged, "what nothing opens waits longer each time")
	require.Len(t, released, 1, "neither its place nor its token is taken")
	assert.Equal(t, sealed.ID, released[0].ID.Saga)

	_, err = keyed.SetQueue(t.Context(), "inventory", func(s *record.QueueSettings) error { *s = record.QueueSettings{}; return nil })
	require.NoError(t, err)
	w.Held = false
	sealed, unsealed := w.Start(saga.Start{}), plain.Start(saga.Start{})
	d.exec(`delete from outbox where saga_id <> all($1)`, []string{sealed.ID, unsealed.ID})
	expire := func() {
		_, err := d.conn.Exec(t.Context(), `update outbox set claimed_until = now(), leased = false`)
		require.NoError(t, err)
	}
	expire()
	claimed, err := other.ClaimOutbox(t.Context(), record.OutboxClaim{Limit: 10})
	require.NoError(t, err)
	require.Len(t, claimed, 1)
	assert.Equal(t, unsealed.ID, claimed[0].ID.Saga)
	claimed, err = keyed.ClaimOutbox(t.Context(), record.OutboxClaim{Limit: 10})
	require.NoError(t, err)
	require.Len(t, claimed, 1)
	assert.Equal(t, sealed.ID, claimed[0].ID.Saga)
}

// What is said of the saga tells the engine that another replica can decide on it. A damaged one no replica can read.
func TestASagaWhoseKeyAReplicaLacksIsUnreadableThereOnly(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	other := openSealed(t, url, sealedBy(t, key("k1", 1)))
	keyed := openSealed(t, url, sealedBy(t, key("k2", 2), key("k1", 1)))
	w, d := storetest.NewFixture(t, keyed), damage{t, connect(t, url)}
	whole, damaged, foreign := w.Start(saga.Start{}).ID, w.Start(saga.Start{}).ID, w.Start(saga.Start{}).ID
	d.exec(`update sagas set data = '"sealed:1:k1:zzzz"' where id = $1`, damaged)
	d.exec(`update sagas set data = '"sealed:1:k9:zzzz"' where id = $1`, foreign)
	faults := func(s *store.Store) (unreadable map[string]record.StoredSaga) {
		err := s.Transact(t.Context(), record.Batch{SagaIDs: []string{whole, damaged, foreign}}, func(loaded record.Loaded) (record.Changes, error) {
			unreadable = loaded.Unreadable
			return record.Changes{}, nil
		})
		require.NoError(t, err)
		return unreadable
	}
	found := faults(other)
	require.Len(t, found, 3)
	assert.ErrorIs(t, found[whole].Unreadable, record.ErrPayloadKeys)
	assert.NotErrorIs(t, found[damaged].Unreadable, record.ErrPayloadKeys)
	assert.NotErrorIs(t, found[foreign].Unreadable, record.ErrPayloadKeys)
	found = faults(keyed)
	require.Len(t, found, 2)
	for _, one := range found {
		assert.NotErrorIs(t, one.Unreadable, record.ErrPayloadKeys)
	}
}
