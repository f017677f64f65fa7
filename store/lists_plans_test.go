package store

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// manySagas fills the table. Rare values are old, so that a scan from the newest saga finds them last: the definition
// "rare", version 2, the label tier=gold, and every status but completed.
const manySagas = `insert into sagas (id, definition, version, key, priority, labels, trace_parent, step_names, created_at,
		status, revision, data, updated_at, finished_at, wake_at, attention_reason, attention_since, attention_step,
		attention_message, progress)
	select '01JD' || lpad(i::text, 22, '0'), case when i % 1000 = 7 and i < $1 / 2 then 'rare' else 'common' end,
		case when i % 1000 = 8 and i < $1 / 2 then 2 else 1 end, case when i % 10 = 0 then 'key-' || i else '' end, 0,
		case when i % 1000 = 9 and i < $1 / 2 then '{"tier":"gold"}' when i % 2 = 0 then '{"region":"eu"}' else '{}' end::jsonb,
		'', '{a}', timestamptz '2026-01-01' + i * interval '1 second', k.status, 1, '{"a":1}',
		timestamptz '2026-01-01' + i * interval '1 second',
		case when k.status >= 'completed' then timestamptz '2026-01-01' + i * interval '1 second' end,
		case when k.status <= 'compensating' then timestamptz '2027-01-01' end,
		case when k.status = 'stuck' then 'retries_exhausted'::attention_reason end,
		case when k.status = 'stuck' then now() end, case when k.status = 'stuck' then 'a' end,
		case when k.status = 'stuck' then 'm' end,
		case when k.status >= 'completed' then '{"p":"ended","n":1,"s":[{"s":"succeeded"}]}' else '{"p":"forward","n":1,"s":[{}]}' end::json
	from generate_series(1, $1) i cross join lateral (select (case when i > $1 / 2 then 'completed'
		when i % 500 = 1 then 'running' when i % 500 = 2 then 'compensating' when i % 500 = 3 then 'paused'
		when i % 500 = 4 then 'stuck' when i % 500 = 5 then 'compensated' when i % 500 = 6 then 'abandoned'
		else 'completed' end)::saga_status as status) k`

// listFilters are all filters, and some combinations.
func listFilters() map[string]record.Filter {
	day := time.Date(2026, 1, 1, 2, 0, 0, 0, time.UTC)
	filters := map[string]record.Filter{
		"none":                   {},
		"definition":             {Definition: new("rare")},
		"common definition":      {Definition: new("common")},
		"unknown definition":     {Definition: new("unknown")},
		"key":                    {Key: new("key-10")},
		"label":                  {Labels: map[string]string{"tier": "gold"}},
		"common label":           {Labels: map[string]string{"region": "eu"}},
		"attention":              {NeedsAttention: true},
		"attention's reason":     {AttentionReasons: []saga.AttentionReason{saga.RetriesExhausted, saga.LateEffect}},
		"created in a minute":    {CreatedAfter: &day, CreatedBefore: new(day.Add(time.Minute))},
		"definition and status":  {Definition: new("common"), Statuses: []saga.Status{saga.Abandoned}},
		"definition and running": {Definition: new("common"), Statuses: []saga.Status{saga.Running}},
		"definition and version": {Definition: new("rare"), Version: new(2)},
		"key and definition":     {Key: new("key-10"), Definition: new("common")},
		"attention's step":       {Step: new("a")},
		"attention's code":       {ErrorCode: new("")},
		"attention and version":  {NeedsAttention: true, Version: new(2)},
		"several statuses":       {Statuses: []saga.Status{saga.Paused, saga.Abandoned, saga.Stuck}},
	}
	for _, status := range saga.Statuses() {
		filters[string(status)] = record.Filter{Statuses: []saga.Status{status}}
	}
	return filters
}

func TestEveryFilterOfAListReadsFewRows(t *testing.T) {
	t.Parallel()
	const sagas, page, few = 60_000, 50, 3 * probeBound
	s := filled(t, sagas)
	for name, filter := range listFilters() {
		assert.Less(t, examined(t, s, filter, record.Page{Limit: page}), few, name)
	}
}

// No index serves this filter. A page ends after a bounded number of rows.
func TestARareVersionIsFoundPageByPage(t *testing.T) {
	t.Parallel()
	const sagas = 2*scanBound + 20_000
	s := filled(t, sagas)
	filter := record.Filter{Version: new(2)}
	var found []record.StoredSaga
	pages, page := 0, record.Page{Limit: 500}
	for first := true; first || page.After != ""; first = false {
		assert.LessOrEqual(t, examined(t, s, filter, page), scanBound+3*page.Limit)
		some, next, err := s.Sagas(t.Context(), filter, page)
		require.NoError(t, err)
		found = append(found, some...)
		page.After = next
		pages++
	}
	assert.Len(t, found, sagas/2000)
	assert.Equal(t, 3, pages)
}

// filled opens a store with that many sagas.
func filled(t *testing.T, sagas int) *Store {
	t.Helper()
	url := env.Database(t)
	require.NoError(t, Migrate(t.Context(), url))
	s, err := Open(t.Context(), Config{DatabaseURL: url})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), manySagas, sagas)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), `vacuum analyze sagas`)
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	return s
}

// examined returns the number of rows that a page reads, including those that the filter drops.
func examined(t *testing.T, s *Store, filter record.Filter, page record.Page) int {
	t.Helper()
	lists, err := listsOf(filter, page)
	require.NoError(t, err)
	rows := 0
	err = s.survey(t.Context(), func(tx pgx.Tx) error {
		for _, l := range lists {
			var plan []struct{ Plan planNode }
			var text []byte
			err := tx.QueryRow(t.Context(), "explain (analyze, timing off, format json) "+l.statement(), l.arguments...).Scan(&text)
			if err != nil {
				return err
			}
			if err := json.Unmarshal(text, &plan); err != nil {
				return err
			}
			if rows = plan[0].Plan.rows(); l.probe && int(plan[0].Plan.Actual) >= page.Limit {
				break
			}
		}
		return nil
	})
	require.NoError(t, err)
	return rows
}

type planNode struct {
	Relation string  `json:"Relation Name"`
	Actual   float64 `json:"Actual Rows"`
	Loops    float64 `json:"Actual Loops"`
	Removed  float64 `json:"Rows Removed by Filter"`
	Lossy    float64 `json:"Rows Removed by Index Recheck"`
	Plans    []planNode
}

func (n *planNode) rows() int {
	rows := 0
	if n.Relation != "" {
		rows = int((n.Actual + n.Removed + n.Lossy) * max(n.Loops, 1))
	}
	for i := range n.Plans {
		rows += n.Plans[i].rows()
	}
	return rows
}
