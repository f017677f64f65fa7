package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/oklog/ulid/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/server"
)

// shop is a program whose role has EXECUTE on saga_start, and a table of its own.
type shop struct {
	*pgxpool.Pool
	t    *testing.T
	role string
}

// newShop makes the role in the database of an orchestrator.
func newShop(t *testing.T, databaseURL string) *shop {
	t.Helper()
	owner, err := pgx.Connect(t.Context(), databaseURL)
	require.NoError(t, err)
	role := "shop_" + strings.ToLower(ulid.Make().String())
	schema := pgx.Identifier{role}.Sanitize()
	_, err = owner.Exec(t.Context(), `create role `+schema+` login password 'secret'; create schema `+schema+` authorization `+schema+`;
		create table `+schema+`.orders (saga_id text primary key); grant insert, select on `+schema+`.orders to `+schema+`;
		grant execute on function saga_start to `+schema)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := owner.Exec(context.Background(), `drop owned by `+schema+` cascade; drop schema if exists `+schema+` cascade; drop role `+schema)
		assert.NoError(t, err)
		assert.NoError(t, owner.Close(context.Background()))
	})
	address, err := url.Parse(databaseURL)
	require.NoError(t, err)
	address.User = url.UserPassword(role, "secret")
	pool, err := pgxpool.New(t.Context(), address.String())
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return &shop{pool, t, role}
}

// start calls saga_start in a transaction of its own.
func (s *shop) start(arguments string, values ...any) (id string) {
	s.t.Helper()
	require.NoError(s.t, s.QueryRow(s.t.Context(), `select saga_start(`+arguments+`)`, values...).Scan(&id))
	return id
}

// order inserts an order and starts its saga in one transaction, which commits or rolls back.
func (s *shop) order(commits bool) (id string, ended time.Time) {
	ctx := s.t.Context()
	tx, err := s.Begin(ctx)
	if !assert.NoError(s.t, err) {
		return "", time.Now()
	}
	err = tx.QueryRow(ctx, `insert into orders values (saga_start('order', '{"a":1}')) returning saga_id`).Scan(&id)
	if commits && err == nil {
		err = tx.Commit(ctx)
	} else {
		_ = tx.Rollback(ctx)
	}
	assert.NoError(s.t, err)
	return id, time.Now()
}

// Exactly the sagas of the transactions that commit are started, each once, by two replicas.
func TestSagasStartWithTheTransactionThatAsksForThem(t *testing.T) {
	t.Parallel()
	const transactions, callers = 200, 4
	amqpURL, prefix := env.Broker(t, "shop")
	config := server.Config{DatabaseURL: env.Database(t), AMQPURL: amqpURL, AMQPPrefix: prefix, Migrate: true}
	first, _ := serving(t, config)
	second, _ := serving(t, config)
	ready(t, first)
	ready(t, second)
	status, answer := request(t, http.MethodPut, first.URL()+"/v1/definitions/order", `{"steps":[{"name":"reserve","command":"shop.reserve"}]}`)
	require.Equal(t, http.StatusCreated, status, answer)
	program := newShop(t, config.DatabaseURL)

	var mutex sync.Mutex
	committed := make(map[string]time.Time)
	var calling sync.WaitGroup
	for caller := range callers {
		calling.Go(func() {
			for n := caller; n < transactions; n += callers {
				id, ended := program.order(n%2 == 0)
				if n%2 == 0 {
					mutex.Lock()
					committed[id] = ended
					mutex.Unlock()
				}
			}
		})
	}
	calling.Wait()
	require.Len(t, committed, transactions/2)
	created := started(t, config.DatabaseURL, transactions/2)
	var slowest time.Duration
	for id, at := range created {
		require.Contains(t, committed, id)
		slowest = max(slowest, at.Sub(committed[id]))
	}
	t.Logf("the slowest of %d starts came %s after its commit", len(created), slowest)

	var orders int
	require.NoError(t, program.QueryRow(t.Context(), `select count(*) from orders`).Scan(&orders))
	require.Equal(t, transactions/2, orders)
	require.Empty(t, list[shownLetter](t, first.URL()+"/v1/dead-letters"))
	for id := range committed {
		_, history := request(t, http.MethodGet, second.URL()+"/v1/sagas/"+id+"/history", "")
		require.Contains(t, history, `"actor":"sql:`+program.role+`"`)
		break
	}
}

// started waits until no start request is left, and returns when each saga was created.
func started(t *testing.T, databaseURL string, wanted int) map[string]time.Time {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), databaseURL)
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	require.Eventually(t, func() bool {
		var left, sagas int
		err := conn.QueryRow(t.Context(), `select (select count(*) from start_requests), (select count(*) from sagas)`).Scan(&left, &sagas)
		return err == nil && left == 0 && sagas >= wanted
	}, patience, 20*time.Millisecond)
	rows, err := conn.Query(t.Context(), `select id, created_at from sagas`)
	require.NoError(t, err)
	created := make(map[string]time.Time)
	var id string
	var at time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &at}, func() error { created[id] = at; return nil })
	require.NoError(t, err)
	require.Len(t, created, wanted)
	return created
}

// Idempotency keys are those of HTTP and of messages: the bodies of all three mean the same.
func TestAStartFromSQLSharesItsIdempotencyKeyWithREST(t *testing.T) {
	t.Parallel()
	amqpURL, prefix := env.Broker(t, "shop")
	config := server.Config{DatabaseURL: env.Database(t), AMQPURL: amqpURL, AMQPPrefix: prefix, Migrate: true}
	s, _ := serving(t, config)
	status, answer := request(t, http.MethodPut, s.URL()+"/v1/definitions/order", `{"steps":[{"name":"reserve","command":"shop.reserve"}]}`)
	require.Equal(t, http.StatusCreated, status, answer)
	program := newShop(t, config.DatabaseURL)

	const body = `{"deadline":"36h","labels":{"region":"eu","big":"a \"b\""},"priority":7,"key":"order-1","data":{"b":1.50,"a":"ü"},
		"start_at":"2020-02-29T23:59:59.5+01:00","definition":"order"}`
	ask := func(key string) string {
		return program.start(`'order', '{"a": "\u00fc", "b": 1.50}', $1, 'order-1', 7, '{"big": "a \"b\"", "region": "eu"}',
			'2020-02-29T23:59:59.5+01:00', '1 day 12 hours'`, key)
	}
	id := ask("k1")
	require.Equal(t, id, ask("k1"), "the key has a request already")
	started(t, config.DatabaseURL, 1)
	status, answer = requestAs(t, "k1", s.URL()+"/v1/sagas", body)
	require.Equal(t, http.StatusOK, status, answer)
	require.Contains(t, answer, id)
	require.Contains(t, answer, `"priority":7`)
	require.Equal(t, id, ask("k1"), "the key has a saga")
	started(t, config.DatabaseURL, 1)
	status, answer = requestAs(t, "k1", s.URL()+"/v1/sagas", `{"definition":"order"}`)
	require.Equal(t, http.StatusUnprocessableEntity, status, answer)
	require.Empty(t, list[shownLetter](t, s.URL()+"/v1/dead-letters"))

	status, answer = requestAs(t, "k2", s.URL()+"/v1/sagas", `{"definition":"order","data":{"n":2}}`)
	require.Equal(t, http.StatusCreated, status, answer)
	require.Contains(t, answer, program.start(`'order', '{"n":2}', 'k2'`))
	require.Contains(t, answer, program.start(`'order', '{"n":3}', 'k2'`))
	started(t, config.DatabaseURL, 2)
	letters := list[shownLetter](t, s.URL()+"/v1/dead-letters")
	require.Len(t, letters, 1, "another body under the same key")
	require.Equal(t, "idempotency_conflict", letters[0].Reason)

	// Both are asked for before either is taken in.
	var first, second string
	tx, err := program.Begin(t.Context())
	require.NoError(t, err)
	require.NoError(t, tx.QueryRow(t.Context(), `select saga_start('order', '{"n":1}', 'k3')`).Scan(&first))
	require.NoError(t, tx.QueryRow(t.Context(), `select saga_start('order', '{"n":2}', 'k3')`).Scan(&second))
	require.NoError(t, tx.Commit(t.Context()))
	require.Equal(t, first, second)
	started(t, config.DatabaseURL, 3)
	_, answer = request(t, http.MethodGet, s.URL()+"/v1/sagas/"+first, "")
	require.Contains(t, answer, `"data":{"n":1}`)
	require.Len(t, list[shownLetter](t, s.URL()+"/v1/dead-letters"), 2)
}

// What is refused is a dead letter with the reason, and starts the promised saga when it is redriven.
func TestARefusedStartFromSQLCanBeRedriven(t *testing.T) {
	t.Parallel()
	amqpURL, prefix := env.Broker(t, "shop")
	config := server.Config{DatabaseURL: env.Database(t), AMQPURL: amqpURL, AMQPPrefix: prefix, Migrate: true}
	s, _ := serving(t, config)
	define := func(name string) {
		status, answer := request(t, http.MethodPut, s.URL()+"/v1/definitions/"+name, `{"data_schema":{"required":["a"]},"steps":[{"name":"reserve","command":"shop.reserve"}]}`)
		require.Equal(t, http.StatusCreated, status, answer)
	}
	define("order")
	define("off")
	status, answer := request(t, http.MethodPatch, s.URL()+"/v1/definitions/off", `{"disabled":true}`)
	require.Equal(t, http.StatusOK, status, answer)
	program := newShop(t, config.DatabaseURL)
	holder := program.start(`'order', '{"a":1}', key => 'order-1'`)
	started(t, config.DatabaseURL, 1)
	promised := map[string]string{
		"definition_not_found": program.start(`'later', '{"a":1}', 'k1'`),
		"definition_disabled":  program.start(`'off', '{"a":1}'`),
		"key_in_use":           program.start(`'order', '{"a":1}', key => 'order-1'`),
		"invalid_data":         program.start(`'order', '{"b":1}'`),
		"malformed_start":      program.start(`'order', '{"a":1,"a":2}'`),
	}
	started(t, config.DatabaseURL, 1)
	letters := list[foundLetter](t, s.URL()+"/v1/dead-letters")
	reasons := make(map[string]foundLetter)
	for _, letter := range letters {
		require.Equal(t, "start", letter.Source)
		require.Equal(t, promised[letter.Reason], letter.SagaID, letter.Reason)
		reasons[letter.Reason] = letter
	}
	require.Len(t, reasons, len(promised))
	redrive := func(reason string) (int, string) {
		return request(t, http.MethodPost, s.URL()+"/v1/dead-letters/"+reasons[reason].ID+"/redrive", "")
	}
	for reason := range promised {
		status, answer := redrive(reason)
		require.Equal(t, http.StatusConflict, status, "%s: %s", reason, answer)
	}
	define("later")
	status, answer = request(t, http.MethodPatch, s.URL()+"/v1/definitions/off", `{"disabled":false}`)
	require.Equal(t, http.StatusOK, status, answer)
	status, answer = request(t, http.MethodPost, s.URL()+"/v1/sagas/"+holder+"/abandon", `{"reason":"test"}`)
	require.Equal(t, http.StatusOK, status, answer)
	for _, reason := range []string{"definition_not_found", "definition_disabled", "key_in_use"} {
		_, dryRun := request(t, http.MethodPost, s.URL()+"/v1/dead-letters/actions", fmt.Sprintf(
			`{"action":"redrive","reason":"test","dry_run":true,"filter":{"ids":[%q]}}`, reasons[reason].ID))
		require.Contains(t, dryRun, "start a saga of", reason)
		status, answer := redrive(reason)
		require.Equal(t, http.StatusOK, status, "%s: %s", reason, answer)
		status, answer = request(t, http.MethodGet, s.URL()+"/v1/sagas/"+promised[reason], "")
		require.Equal(t, http.StatusOK, status, "%s: %s", reason, answer)
	}
	require.Equal(t, promised["definition_not_found"], program.start(`'later', '{"a":1}', 'k1'`))
	require.Len(t, started(t, config.DatabaseURL, 4), 4)
	require.Len(t, list[shownLetter](t, s.URL()+"/v1/dead-letters"), 2)
}

type foundLetter struct {
	ID, Source, Reason string
	SagaID             string `json:"saga_id"`
}

// A replica that dies after the start is stored leaves the row. It leads to the same saga, or dead letter, again.
func TestAStartFromSQLThatIsReadAgainIsTheSameSaga(t *testing.T) {
	t.Parallel()
	amqpURL, prefix := env.Broker(t, "shop")
	config := server.Config{DatabaseURL: env.Database(t), AMQPURL: amqpURL, AMQPPrefix: prefix, Migrate: true}
	s, _ := serving(t, config)
	status, answer := request(t, http.MethodPut, s.URL()+"/v1/definitions/order", `{"steps":[{"name":"reserve","command":"shop.reserve"}]}`)
	require.Equal(t, http.StatusCreated, status, answer)
	owner, err := pgx.Connect(t.Context(), config.DatabaseURL)
	require.NoError(t, err)
	defer owner.Close(context.WithoutCancel(t.Context()))
	_, err = owner.Exec(t.Context(), `create table read_again as select * from start_requests;
		create function keep() returns trigger language plpgsql as 'begin insert into read_again select old.*; return old; end';
		create trigger keep after delete on start_requests for each row execute function keep()`)
	require.NoError(t, err)
	ids := make(map[string]bool)
	for _, call := range []string{
		`select saga_start('order', '{"n":1}')`, `select saga_start('order', '{"n":2}', 'k1', 'key-1')`, `select saga_start('unknown', '{}')`,
	} {
		var id string
		require.NoError(t, owner.QueryRow(t.Context(), call).Scan(&id))
		ids[id] = true
	}
	before := started(t, config.DatabaseURL, 2)
	_, err = owner.Exec(t.Context(), `alter table start_requests disable trigger keep;
		insert into start_requests overriding system value select * from read_again;
		update start_requests set claimed_until = '-infinity'`)
	require.NoError(t, err)
	require.Equal(t, before, started(t, config.DatabaseURL, 2))
	letters := list[foundLetter](t, s.URL()+"/v1/dead-letters")
	require.Len(t, letters, 1)
	require.True(t, ids[letters[0].SagaID])
	for id := range before {
		require.True(t, ids[id])
		var shown struct{ Revision int }
		_, answer := request(t, http.MethodGet, s.URL()+"/v1/sagas/"+id, "")
		require.NoError(t, json.Unmarshal([]byte(answer), &shown))
		require.Equal(t, 1, shown.Revision)
	}
}
