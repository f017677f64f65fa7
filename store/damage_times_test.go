package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// A time that the driver cannot read hides neither its row nor the others, in any table.
func TestTimesOutOfRangeHideNoRow(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, store.Config{DatabaseURL: url})
	d := damage{t, connect(t, url)}
	for _, at := range []string{"infinity", "-infinity", "200000-01-01"} {
		d.exec(`delete from webhooks; delete from bulk_items; delete from bulk_actions`)
		d.exec(fmt.Sprintf(`insert into webhooks (name, url, events, secret, created_at, updated_at, last_at)
			values ('hook', '', '{saga.stuck}', decode(repeat('00', 32), 'hex'), '%[1]s', '%[1]s', '%[1]s')`, at))
		d.exec(fmt.Sprintf(`insert into webhook_deliveries (webhook, event_id, type, body, created_at) values ('hook', 'e', 't', '', '%s')`, at))
		d.exec(fmt.Sprintf(`insert into bulk_actions (id, kind, action, filter, parameters, reason, actor, rate, canary, stop_after, status, created_at)
			values ('bulk', 'sagas', 'retry', '{}', '{}', '', '', 0, 0, 0, 'running', '%s')`, at))
		d.exec(fmt.Sprintf(`insert into bulk_items (bulk_id, target, outcome, at) values ('bulk', 's', 'done', '%s')`, at))
		hooks, err := s.Webhooks(t.Context())
		require.NoError(t, err)
		assert.Len(t, hooks, 1)
		claimed, err := s.ClaimDeliveries(t.Context(), record.DeliveryClaim{Room: map[string]int{"hook": 10}, Lease: time.Minute})
		require.NoError(t, err)
		assert.Len(t, claimed, 1)
		bulks, _, err := s.Bulks(t.Context(), record.Page{Limit: 10})
		require.NoError(t, err)
		assert.Len(t, bulks, 1)
		running, err := s.ClaimBulks(t.Context(), "test", -time.Second)
		require.NoError(t, err)
		assert.Len(t, running, 1)
		items, _, err := s.BulkItems(t.Context(), "bulk", "", record.Page{Limit: 10})
		require.NoError(t, err)
		assert.Len(t, items, 1)
	}
	f := storetest.NewFixture(t, s)
	for _, at := range []string{"infinity", "-infinity", "200000-01-01"} {
		d.exec(`delete from queue_settings`)
		d.exec(`insert into queue_settings (queue, paused, max_out, rate, tokens) values ('inventory', false, 5, 5, 0)`)
		d.exec(fmt.Sprintf(`update queue_settings set tokens_at = '%[1]s', since = '%[1]s', controlled_since = '%[1]s'`, at))
		f.Start(saga.Start{})
		d.exec(`update outbox set held_rank = 250, claimed_until = 'infinity', leased = false`)
		require.Eventually(t, func() bool {
			commands, err := s.ReleaseHeld(t.Context(), record.HeldClaim{Queue: "inventory", Limit: 10})
			require.NoError(t, err, at)
			return len(commands) > 0
		}, 10*time.Second, 10*time.Millisecond, at)
		d.exec(`delete from outbox`)
	}
	d.exec(`insert into audit (at, actor, key_id, action, target, definition, reason, request_id, seq, hash)
		values ('infinity', '', '', '', '', '', '', '', 1, sha256(''))`)
	entries, _, err := s.Audit(t.Context(), record.AuditFilter{}, record.Page{Limit: 10})
	require.NoError(t, err)
	assert.Len(t, entries, 1)
}

// A number that the API would not accept stops neither its queue nor a list, in any table.
func TestNumbersOutOfRangeStopNothing(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, store.Config{DatabaseURL: url})
	d := damage{t, connect(t, url)}
	f := storetest.NewFixture(t, s)
	for _, odd := range []string{"rate = 'infinity'", "rate = 'NaN'", "rate = 1e308", "tokens = 'NaN'", "tokens = 'infinity'", "tokens = '-infinity'", "tokens = 1e308"} {
		d.exec(`delete from queue_settings`)
		d.exec(`insert into queue_settings (queue, paused, rate, tokens, tokens_at) values ('inventory', false, 5, 5, now())`)
		d.exec(`update queue_settings set ` + odd)
		controls, err := s.QueueControls(t.Context())
		require.NoError(t, err, odd)
		require.Len(t, controls, 1, odd)
		assert.LessOrEqual(t, controls[0].Rate, float64(record.MaxQueueRate), odd)
		f.Start(saga.Start{})
		d.exec(`update outbox set held_rank = 250, claimed_until = 'infinity', leased = false`)
		require.Eventually(t, func() bool {
			commands, err := s.ReleaseHeld(t.Context(), record.HeldClaim{Queue: "inventory", Limit: 10})
			require.NoError(t, err, odd)
			return len(commands) > 0
		}, 10*time.Second, 10*time.Millisecond, odd)
		d.exec(`delete from outbox`)
		_, err = s.SetQueue(t.Context(), "inventory", func(q *record.QueueSettings) error { q.Rate = 7; return nil })
		require.NoError(t, err, odd)
	}
	for _, odd := range []string{"infinity", "NaN", "1e308"} {
		d.exec(`delete from bulk_actions`)
		d.exec(fmt.Sprintf(`insert into bulk_actions (id, kind, action, filter, parameters, reason, actor, rate, canary, stop_after, status, created_at)
			values ('bulk', 'sagas', 'retry', '{}', '{}', '', '', '%s', 0, 0, 'running', now())`, odd))
		bulks, _, err := s.Bulks(t.Context(), record.Page{Limit: 10})
		require.NoError(t, err, odd)
		require.Len(t, bulks, 1, odd)
		assert.LessOrEqual(t, bulks[0].Rate, 1e6, odd)
	}
}

// An array that holds nothing, or more dimensions than one, hides neither its row nor the others, in any table.
func TestOddArraysHideNoRow(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s := open(t, store.Config{DatabaseURL: url})
	d := damage{t, connect(t, url)}
	f := storetest.NewFixture(t, s)
	for _, odd := range []string{"array[null]::text[]", "array[['a', null], ['b', 'c']]"} {
		d.exec(`delete from webhooks; delete from queue_health; delete from bulk_actions`)
		d.exec(`insert into webhooks (name, url, events, secret) values ('odd', '', ` + odd + `, '\x01')`)
		d.exec(`insert into queue_health (queue, unhealthy, reasons, since, changes) values ('q', true, ` + odd + `, now(), 9223372036854775807)`)
		d.exec(`insert into bulk_actions (id, kind, action, filter, parameters, reason, actor, rate, canary, stop_after, status, created_at, definitions)
			values ('bulk', 'sagas', 'retry', '{}', '{}', '', '', 0, 0, 0, 'running', now(), ` + odd + `)`)
		hooks, err := s.Webhooks(t.Context())
		require.NoError(t, err, odd)
		assert.Len(t, hooks, 1, odd)
		wanted, err := s.WebhookEvents(t.Context())
		require.NoError(t, err, odd)
		assert.Contains(t, wanted, "odd", odd)
		health, err := s.QueueHealth(t.Context())
		require.NoError(t, err, odd)
		require.Len(t, health, 1, odd)
		assert.Positive(t, health[0].Changes+1, odd)
		bulk, err := s.Bulk(t.Context(), "bulk")
		require.NoError(t, err, odd)
		assert.NotNil(t, bulk.Scope, "a scope does not become all definitions: "+odd)
	}
	d.exec(`update definitions set created_at = '4713-01-01 BC'`)
	definitions, _, err := s.Definitions(t.Context(), record.Page{Limit: 10})
	require.NoError(t, err)
	for _, dated := range definitions {
		assert.True(t, dated.CreatedAt.IsZero(), "JSON has no such year")
		require.ErrorIs(t, dated.Unreadable, record.ErrUnreadable)
	}
	in := f.Start(saga.Start{})
	d.exec(`update sagas set step_names = array[step_names, step_names], attention_reason = 'retries_exhausted', attention_step = 'reserve',
		attention_since = now(), attention_message = 'x' where id = '` + in.ID + `'`)
	_, err = s.Groups(t.Context(), nil, "")
	require.NoError(t, err)
}
