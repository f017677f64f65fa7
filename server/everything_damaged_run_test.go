package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/server"
)

// amongDamage is a server whose tables are full of rows that SQL has damaged.
type amongDamage struct {
	t    *testing.T
	s    *server.Server
	conn *pgx.Conn
}

// call makes a call that must not fail on the server's side.
func (a amongDamage) call(method, path, body string, wanted ...int) string {
	a.t.Helper()
	status, answer := request(a.t, method, a.s.URL()+path, body)
	if len(wanted) > 0 {
		require.Contains(a.t, wanted, status, "%s %s: %.300s", method, path, answer)
	}
	require.Less(a.t, status, 500, "%s %s: %.300s", method, path, answer)
	return answer
}

// completes checks that a saga completes.
func (a amongDamage) completes(what, id string) {
	a.t.Helper()
	assert.Eventually(a.t, func() bool {
		return strings.Contains(a.call(http.MethodGet, "/v1/sagas/"+id, ""), `"status":"completed"`)
	}, 10*time.Second, 10*time.Millisecond, what)
}

func idIn(answer string) string {
	var named struct{ ID string }
	_ = json.Unmarshal([]byte(answer), &named) // a call without an id finds nothing
	return named.ID
}

// fill makes rows for the damage to be copies of.
func (a amongDamage) fill() {
	for name, body := range map[string]string{
		"order": `{"steps":[{"name":"do","command":"work.do","compensation":"work.undo"},{"name":"end","command":"work.end"}]}`, "held": `{"steps":[{"name":"do","command":"held.do"}]}`,
		"healthy": `{"steps":[{"name":"do","command":"well.do"}]}`, "off": `{"steps":[{"name":"do","command":"held.do"}]}`,
	} {
		a.call(http.MethodPut, "/v1/definitions/"+name, body, http.StatusCreated)
	}
	a.call(http.MethodPatch, "/v1/definitions/off", `{"disabled":true}`, http.StatusOK)
	a.call(http.MethodPatch, "/v1/queues/held", `{"paused":true}`, http.StatusOK)
	a.call(http.MethodPatch, "/v1/queues/work", `{"max_out":1000,"rate":1000}`, http.StatusOK)
	a.call(http.MethodPut, "/v1/webhooks/hook", `{"url":"https://example.com/x","events":["saga.stuck"]}`, http.StatusCreated)
	a.call(http.MethodPost, "/v1/keys", `{"name":"k","role":"viewer"}`, http.StatusCreated)
	a.call(http.MethodPost, "/v1/sagas?wait=1s", `{"definition":"order","key":"a","labels":{"a":"b"}}`, http.StatusCreated)
	a.call(http.MethodPost, "/v1/sagas", `{"definition":"held","key":"held"}`, http.StatusCreated)
}

// works makes use of all that goes on in the background, each for something sound.
func (a amongDamage) works(round int) {
	a.t.Helper()
	delayed := fmt.Sprintf(`{"definition":"healthy","start_at":%q}`, time.Now().Add(500*time.Millisecond).Format(time.RFC3339Nano))
	later := idIn(a.call(http.MethodPost, "/v1/sagas", delayed, http.StatusCreated))
	var bySQL string
	require.NoError(a.t, a.conn.QueryRow(a.t.Context(), `select saga_start('healthy', '{}')`).Scan(&bySQL))
	a.completes("a start", idIn(a.call(http.MethodPost, "/v1/sagas", `{"definition":"healthy"}`, http.StatusCreated)))
	a.completes("a start by SQL", bySQL)
	a.completes("a delayed start", later)
	assert.Eventually(a.t, func() bool {
		var left int
		require.NoError(a.t, a.conn.QueryRow(a.t.Context(), `select count(*) from events where subject = $1`, later).Scan(&left))
		return left == 0
	}, 10*time.Second, 10*time.Millisecond, "events are published")

	letter := fmt.Sprintf("01JE%022d", round)
	_, err := a.conn.Exec(a.t.Context(), `insert into dead_letters (id, source, queue, reason, message, saga_id, command_id, body, content_type, received_at)
		values ($1, 'reply', 'q', 'x', '', '', '', '', '', now())`, letter)
	require.NoError(a.t, err)
	bulk := a.call(http.MethodPost, "/v1/dead-letters/actions", `{"action":"discard","filter":{"ids":["`+letter+`"]},"reason":"x"}`)
	assert.Eventually(a.t, func() bool {
		return strings.Contains(a.call(http.MethodGet, "/v1/actions/"+idIn(bulk), ""), `"status":"completed"`)
	}, 10*time.Second, 10*time.Millisecond, "a bulk action is carried out")
	a.call(http.MethodPatch, "/v1/queues/well", fmt.Sprintf(`{"rate":%d}`, 1000+round), http.StatusOK)
	assert.Contains(a.t, a.call(http.MethodGet, "/v1/audit?target=well&limit=1", ""), fmt.Sprintf(`"rate":%d`, 1000+round), "a change is in the audit log")
}

// lists reads every list to its end, and every view of the page.
func (a amongDamage) lists() {
	a.t.Helper()
	var document struct{ Paths map[string]map[string]any }
	require.NoError(a.t, json.Unmarshal([]byte(a.call(http.MethodGet, "/openapi.json", "")), &document))
	paths := []string{"/metrics", "/readyz?verbose", "/", "/ui/stuck"}
	for path, methods := range document.Paths {
		if methods["get"] != nil && !strings.Contains(path, "{") {
			paths = append(paths, path)
		}
	}
	for _, list := range []string{"sagas", "definitions", "queues", "dead-letters", "bulk", "audit", "webhooks", "keys"} {
		paths = append(paths, "/ui/"+list)
	}
	for _, path := range paths {
		for at := path; at != ""; {
			var page struct {
				NextCursor *string `json:"next_cursor"`
			}
			_ = json.Unmarshal([]byte(a.call(http.MethodGet, at, "")), &page) // the page's views are no JSON
			if at = ""; page.NextCursor != nil {
				at = path + "?cursor=" + *page.NextCursor
			}
		}
	}
}

// details reads whatever has a path of its own.
func (a amongDamage) details() {
	a.t.Helper()
	for table, paths := range map[string]string{
		"id from sagas":             "/v1/sagas/%s /v1/sagas/%s/why /v1/sagas/%s/history /ui/sagas/%s",
		"id from dead_letters":      "/v1/dead-letters/%s /ui/dead-letters/%s",
		"id from bulk_actions":      "/v1/actions/%s /v1/actions/%s/items /ui/bulk/%s",
		"name from definitions":     "/v1/definitions/%s /v1/definitions/%s/versions /ui/definitions/%s",
		"name from webhooks":        "/v1/webhooks/%s",
		"queue from queue_settings": "/v1/queues/%s /ui/queues/%s",
	} {
		rows, err := a.conn.Query(a.t.Context(), `select `+table)
		require.NoError(a.t, err)
		ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(a.t, err)
		for _, id := range ids {
			for path := range strings.FieldsSeq(paths) {
				a.call(http.MethodGet, fmt.Sprintf(path, url.PathEscape(id)), "")
			}
		}
	}
}

// One row of any table may hold any value that its column can, with no rule of the table in force: everything else goes on, for
// a replica that starts then, with encryption and without.
func TestADamagedRowOfAnyTableStopsNothingElse(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string]string{"clear": "", "encrypted": payloadKey("k1", 'a')} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			brokerURL, prefix := env.Broker(t, "work", "well", "held")
			config := server.Config{
				DatabaseURL: env.Database(t), AMQPURL: brokerURL, AMQPPrefix: prefix, Migrate: true, PayloadKeys: keys,
				RetentionInterval: time.Second, RetainDeadLetters: time.Hour, RetainKeys: time.Hour, RetainAudit: time.Hour, RetainUndone: time.Hour,
			}
			work(t, brokerURL, prefix, "work", "work.do")
			work(t, brokerURL, prefix, "well", "well.do")
			first, end := serving(t, config)
			ready(t, first)
			conn, err := pgx.Connect(t.Context(), config.DatabaseURL)
			require.NoError(t, err)
			amongDamage{t, first, conn}.fill()
			end()
			damaged := damagedTables{t: t, conn: conn}
			damaged.damage()
			require.Greater(t, damaged.rows, 1000)

			second, _ := serving(t, config)
			ready(t, second)
			a := amongDamage{t, second, conn}
			for begun, round := time.Now(), 1; time.Since(begun) < 12*time.Second; round++ { // longer than any look in the background
				a.works(round)
				a.lists()
			}
			a.details()
		})
	}
}
