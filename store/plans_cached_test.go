package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
)

// staleCase is a statement whose plan was made for empty tables, and then takes a few rows of many.
type staleCase struct {
	statement string
	fill      string // adds $1 rows
	arguments string // as SQL
	most      int    // rows that it may read: at worst each once, never each for each
}

func staleCases(rows int) map[string]staleCase {
	texts := func(format string) string {
		items := make([]string, 100)
		for i := range items {
			items[i] = fmt.Sprintf(format, i*(rows/len(items))+1)
		}
		return "'{" + strings.Join(items, ",") + "}'"
	}
	const bulk = `insert into bulk_actions (id, kind, action, filter, parameters, reason, actor, rate, canary, stop_after, status, created_at, finished_at)
			values ('bulk', 'sagas', 'retry', '{}', '{}', '', '', 0, 0, 0, '%s', now(), %s);
		insert into bulk_items (bulk_id, target) select 'bulk', 's' || n from generate_series(1, $1) n`
	return map[string]staleCase{
		"idempotency keys": {expireKeysStatement, `insert into idempotency_keys (key, saga_id, body_hash, created_at, ended_at)
			select 'k' || n, 's', '', now(), now() - interval '1 h' from generate_series(1, $1) n`, `'1 m', 100`, 500},
		"dead letters by age":    {expireByAge, manyLetters, `'1 m', 100`, 500},
		"dead letters by number": {expireByNumber, manyLetters, fmt.Sprintf(`%d, 100`, rows-500), rows + 500},
		"starts by SQL": {claimStarts, `insert into start_requests (saga_id, idempotency_key, body, actor)
			select 's' || n, 'k' || n, '{}', '' from generate_series(1, $1) n`, `100, 1000000, '1 m', '10 m'`, 1000},
		"deliveries": {
			claimDeliveries, `insert into webhooks (name, url, events, secret) values ('hook', '', '{saga.stuck}', decode(repeat('00', 32), 'hex'));
			insert into webhook_deliveries (webhook, event_id, type, body) select 'hook', 'e' || n, 't', '' from generate_series(1, $1) n`,
			`'{hook}', '{100}', '1 m', 8192`, 800,
		},
		"events": {nextEvents, `insert into events (sink, at, subject, seq, type, definition, data)
			select 'amqp', now(), 's' || n, n, 'saga.started', 'order', '{}' from generate_series(1, $1) n`, `'amqp', 100, '{}', 8388608, 524288`, 500},
		"targets of bulk actions that are over": {expireBulkItems, fmt.Sprintf(bulk, "completed", "now() - interval '1 h'"), `'1 m', 100`, 500},
		"results of bulk actions": {
			storeResults, fmt.Sprintf(bulk, "running", "null"),
			texts("bulk%.0d") + ", " + texts("s%d") + ", " + texts("done%.0d") + ", " + texts("m%d"), 500,
		},
		"targets without a result": {findOver, fmt.Sprintf(bulk, "running", "null"), texts("bulk%.0d") + ", " + texts("h%.0d") + ", " + texts("s%d"), 700},
		"confirmed commands":       {deleteCommands, manyCommands, texts("s%d") + ", " + texts("s%d/c"), 500},
		"refused commands":         {markRefused, manyCommands, texts("s%d") + ", " + texts("c%.0d") + ", " + texts("r%d") + ", " + texts("%d ms"), 500},
		"released commands":        {releaseOutbox, manyCommands, texts("s%d") + ", " + texts("s%d/c"), 500},
		"postponed commands":       {postponeStatement, manyCommands, texts("s%d") + ", " + texts("c%.0d") + ", " + texts("%d ms") + ", " + texts("f%d"), 800},
		"claimed commands":         {claimStatement, manyCommands, "100, 1000000, '{}', null, '1 m', 10, '{}'", 1000},
		"deliveries ahead": {
			deliveriesAhead, `insert into webhooks (name, url, events, secret) values ('hook', '', '{saga.stuck}', decode(repeat('00', 32), 'hex'));
			insert into webhook_deliveries (webhook, event_id, type, body, due_at) select 'hook', 'e' || n, 't', '', now() + interval '50 minutes' from generate_series(1, $1) n`,
			`100`, 800,
		},
		"commands ahead": {commandsAhead, manyCommands + `; update outbox set claimed_until = claimed_until + interval '2 hours'`, "100", 1000},
		"starts ahead": {startsAhead, `insert into start_requests (saga_id, body, actor, claimed_until)
			select 's' || n, '{}', '', now() + interval '50 minutes' from generate_series(1, $1) n`, `100`, 1000},
		"held back commands":   {adoptStatement, manyCommands, "'q', 100", 1000},
		"released by settings": {releaseStatement, manyCommands + `; update outbox set held_rank = 200`, "'q', 100, 100, 1000000, '1 m', true, '{}'", 1500},
		"keys of sagas that have ended": {deleteBusinessKeys, `insert into business_keys (definition, key, saga_id)
			select 'order', 'k' || n, 's' || n from generate_series(1, $1) n`, texts("order%.0d") + ", " + texts("k%d") + ", " + texts("s%d"), rows + 500},
		"places of answered commands": {freeAnswered, `insert into queue_places (queue, saga_id, command) select 'q', 's' || n, 'c' from generate_series(1, $1) n;
			insert into queue_settings (queue, paused, max_out) values ('q', false, 1)`, texts("s%d") + ", " + texts("c%.0d"), 800},
		"old entries of the audit log": {expireRows, `insert into audit (at, actor, key_id, action, target, definition, reason, request_id, seq, hash)
			select now() - interval '1 h', '', '', '', '', '', '', '', n, sha256('') from generate_series(1, $1) n`, `'1 m', 100`, rows + 1000},
	}
}

const manyCommands = `insert into outbox (saga_id, command, queue, created_at, body, claimed_until, leased, attempts, reason)
	select 's' || n, 'c', 'q', now() + n * interval '1 ms', '', now() - interval '1 h' + n * interval '1 ms', false, 0, '' from generate_series(1, $1) n`

const manyLetters = `insert into dead_letters (id, source, queue, reason, message, saga_id, command_id, body, content_type, received_at)
	select 'l' || n, 'reply', 'q', 'r', '', '', '', '', '', now() - interval '1 h' + n * interval '1 ms' from generate_series(1, $1) n`

// A plan stays until the table is analyzed, up to a minute. Until then it must be good enough for what the table has got meanwhile.
func TestPlansOfEmptyTablesSuitFullOnes(t *testing.T) {
	t.Parallel()
	const rows = 3000
	for name, one := range staleCases(rows) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := env.Database(t)
			require.NoError(t, Migrate(t.Context(), url))
			other, err := pgx.Connect(t.Context(), url)
			require.NoError(t, err)
			defer func() { assert.NoError(t, other.Close(t.Context())) }()
			_, err = other.Exec(t.Context(), `vacuum analyze`)
			require.NoError(t, err)
			s, err := Open(t.Context(), Config{DatabaseURL: url})
			require.NoError(t, err)
			defer func() { assert.NoError(t, s.Close()) }()
			conn, err := s.pool.Acquire(t.Context())
			require.NoError(t, err)
			defer conn.Release()
			_, err = conn.Conn().Prepare(t.Context(), "probe", one.statement)
			require.NoError(t, err)
			read := func() int {
				var text []byte
				var plan []struct{ Plan planNode }
				require.NoError(t, conn.QueryRow(t.Context(), "explain (analyze, timing off, format json) execute probe("+one.arguments+")",
					pgx.QueryExecModeSimpleProtocol).Scan(&text))
				require.NoError(t, json.Unmarshal(text, &plan))
				return plan[0].Plan.rows()
			}
			read()
			_, err = other.Exec(t.Context(), strings.ReplaceAll(one.fill, "$1", fmt.Sprint(rows)))
			require.NoError(t, err)
			assert.LessOrEqual(t, read(), one.most, "rows that it reads")
		})
	}
}
