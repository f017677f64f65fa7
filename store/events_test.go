package store_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/store"
)

const insertEvents = `insert into events (at, seq, sink, subject, type, definition, data) `

// SQL can store events that no sink takes. Their data is not loaded, so that they hold up no others and need no memory.
func TestEventsThatAreTooLargeLeaveWithoutTheirData(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s, d := open(t, store.Config{DatabaseURL: url}), damage{t, connect(t, url)}
	d.exec(insertEvents + `select now(), 0, 'amqp', 'poison' || i, 'saga.stuck', 'x', ('{"x":"' || repeat('y', 9000000) || '"}')::json
		from generate_series(1, 3) i`)
	d.exec(insertEvents + `select now(), 0, 'amqp', 'random', 'saga.stuck', 'x',
		('{"x":"' || (select string_agg(md5(i::text), '') from generate_series(1, 40000) i) || '"}')::json`)
	d.exec(insertEvents + `values (now(), 0, 'amqp', 'whole', repeat('ü', 100000), repeat('d', 100000), '{"a": 1}')`)
	found, err := s.NextEvents(t.Context(), record.SinkAMQP, 100)
	require.NoError(t, err)
	require.Len(t, found, 5)
	for _, e := range found[:4] {
		assert.JSONEq(t, `{"unreadable":"the data of this event cannot be read"}`, string(e.Data), e.Subject)
		assert.ErrorContains(t, e.Unreadable, "the limit is 524288", e.Subject)
	}
	whole := found[4]
	require.NoError(t, whole.Unreadable)
	assert.JSONEq(t, `{"a":1}`, string(whole.Data))
	assert.Equal(t, []string{strings.Repeat("ü", 250), strings.Repeat("d", 250)}, []string{whole.Type, whole.Definition})
	require.NoError(t, s.ForgetEvents(t.Context(), record.SinkAMQP, found))
	found, err = s.NextEvents(t.Context(), record.SinkAMQP, 100)
	require.NoError(t, err)
	require.Empty(t, found)
}

func TestAPageOfEventsIsBoundedByItsBytes(t *testing.T) {
	t.Parallel()
	const stored = 40
	url := migrated(t)
	s, d := open(t, store.Config{DatabaseURL: url}), damage{t, connect(t, url)}
	d.exec(insertEvents+`select now(), i, 'amqp', 'subject' || i % 2, 'saga.stuck', 'x', ('{"x":"' || repeat('y', 500000) || '"}')::json
		from generate_series(1, $1) i`, stored)
	taken, last := 0, make(map[string]int64)
	for taken < stored {
		page, err := s.NextEvents(t.Context(), record.SinkAMQP, 100)
		require.NoError(t, err)
		require.NotEmpty(t, page)
		bytes := 0
		for _, e := range page {
			bytes += len(e.Data)
			require.Greater(t, e.Seq, last[e.Subject])
			last[e.Subject] = e.Seq
		}
		require.LessOrEqual(t, bytes, record.EventPageBytes)
		require.NoError(t, s.ForgetEvents(t.Context(), record.SinkAMQP, page))
		taken += len(page)
	}
	require.Equal(t, stored, taken)
}
