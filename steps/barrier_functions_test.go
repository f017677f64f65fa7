package steps_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/pgproxy"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// statements runs each statement in a transaction of its own and returns the first column of its row as text.
type statements struct {
	t    *testing.T
	pool *pgxpool.Pool
}

func newStatements(t *testing.T) statements {
	t.Helper()
	pool := openPool(t, env.Database(t))
	require.NoError(t, steps.NewBarrier(pool).Install(t.Context()))
	return statements{t, pool}
}

func (s statements) run(statement string) string {
	s.t.Helper()
	var text *string
	require.NoError(s.t, s.pool.QueryRow(s.t.Context(), statement).Scan(&text), statement)
	if text == nil {
		return ""
	}
	return *text
}

// did begins a key, ends it if it has to run, and returns what begin returned.
func (s statements) did(arguments, reply string) (begun string) {
	s.t.Helper()
	err := pgx.BeginFunc(s.t.Context(), s.pool, func(tx pgx.Tx) error {
		if err := tx.QueryRow(s.t.Context(), "SELECT saga_barrier_begin("+arguments+")::text").Scan(&begun); err != nil || reply == "" {
			return err
		}
		var key string
		if err := tx.QueryRow(s.t.Context(), "SELECT (ARRAY["+arguments+"]::text[])[1]").Scan(&key); err != nil {
			return err
		}
		_, err := tx.Exec(s.t.Context(), "SELECT saga_barrier_end($1, $2)", key, reply)
		return err
	})
	require.NoError(s.t, err)
	return begun
}

const (
	toRun     = `{"verdict": "run"}`
	isRefused = `{"reply": {"error": {"code": "compensated_already", "message": "the step was compensated before this command came", "retryable": false}, "status": "failed"}, "verdict": "refused"}`
)

func TestTheBarriersFunctionsNeedOnlyTheKey(t *testing.T) {
	t.Parallel()
	s := newStatements(t)
	assert.JSONEq(t, toRun, s.did("'s/charge/execute'", `{"status":"succeeded","output":{"chargeId":"c-7"}}`))
	assert.JSONEq(t, `{"verdict":"reply","reply":{"status":"succeeded","output":{"chargeId":"c-7"}}}`, s.did("'s/charge/execute'", ""))
	assert.JSONEq(t, `{"verdict":"run","output":{"chargeId":"c-7"}}`, s.did("'s/charge/compensate'", `{"status":"succeeded"}`))
	assert.JSONEq(t, isRefused, s.did("'s/charge/execute'", ""))
	assert.JSONEq(t, `{"verdict":"reply","reply":{"status":"succeeded"}}`, s.did("'s/charge/compensate-2'", ""), "nothing is left to compensate")
}

func TestTheBarriersFunctionsRefuseAnExecutionAfterItsCompensation(t *testing.T) {
	t.Parallel()
	s := newStatements(t)
	for range 2 {
		assert.JSONEq(t, `{"verdict":"reply","reply":{"status":"succeeded"}}`, s.did("'s/charge/compensate'", ""))
		assert.JSONEq(t, isRefused, s.did("'s/charge/execute'", ""))
		assert.JSONEq(t, isRefused, s.did("'s/charge/execute', 7", ""))
	}
	assert.JSONEq(t, toRun, s.did("'s/charge/execute-2'", `{"status":"succeeded"}`), "the next generation of the step")
	assert.JSONEq(t, toRun, s.did("'s/charge/compensate-2', 1, 's/charge/execute-2'", `{"status":"succeeded"}`))
	assert.JSONEq(t, isRefused, s.did("'s/charge/execute-2'", ""))
}

// All attempts of an effect have one key, so the attempt distinguishes a failed one that came again from the next one.
func TestAFailedReplyIsThatOfItsAttempt(t *testing.T) {
	t.Parallel()
	const busy, declined = `{"status":"failed","error":{"code":"busy"}}`, `{"status":"failed","error":{"code":"declined","retryable":false}}`
	s := newStatements(t)
	assert.JSONEq(t, toRun, s.did("'s/a/execute', 1", busy))
	assert.JSONEq(t, `{"verdict":"reply","reply":`+busy+`}`, s.did("'s/a/execute', 1", ""))
	assert.JSONEq(t, toRun, s.did("'s/a/execute', 2", `{"status":"succeeded"}`))
	assert.JSONEq(t, `{"verdict":"reply","reply":{"status":"succeeded"}}`, s.did("'s/a/execute', 1", ""))

	assert.JSONEq(t, toRun, s.did("'s/b/execute'", busy))
	assert.JSONEq(t, toRun, s.did("'s/b/execute'", declined), "without an attempt, a retryable failure is tried again")
	assert.JSONEq(t, `{"verdict":"reply","reply":`+declined+`}`, s.did("'s/b/execute'", ""), "a final one is not")
	assert.JSONEq(t, `{"verdict":"reply","reply":{"status":"succeeded"}}`, s.did("'s/b/compensate'", ""))
	assert.JSONEq(t, isRefused, s.did("'s/b/execute'", ""))
}

func TestTheBarriersFunctionsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	s := newStatements(t)
	for statement, says := range map[string]string{
		"SELECT saga_barrier_begin('nonsense')":                              "key: want <saga>/<step>/<execute or compensate>",
		"SELECT saga_barrier_begin('s/charge/execute/1')":                    "key: want <saga>/<step>/<execute or compensate>",
		"SELECT saga_barrier_begin('s/charge/refund')":                       "key: want <saga>/<step>/<execute or compensate>",
		"SELECT saga_barrier_begin(NULL)":                                    "key: want <saga>/<step>/<execute or compensate>",
		"SELECT saga_barrier_begin('s/a/compensate', 1, 's/b/execute')":      "execution of the same step",
		"SELECT saga_barrier_end('s/charge/execute', '{\"status\":\"ok\"}')": "reply: want an object with the status succeeded or failed",
		"SELECT saga_barrier_end('s/charge/execute', '[]')":                  "reply: want an object with the status succeeded or failed",
		"SELECT saga_barrier_end('s/charge/execute', NULL)":                  "reply: want an object with the status succeeded or failed",
		"SELECT saga_barrier_end('s/x/execute', '{\"status\":\"failed\"}')":  "s/x/execute was not entered in this transaction",
	} {
		_, err := s.pool.Exec(t.Context(), statement)
		require.ErrorContains(t, err, says, statement)
	}
}

// The error for a worker that commits without the end says what to look at, and both ways on work.
func TestAKeyThatWasEnteredAndNotLeft(t *testing.T) {
	t.Parallel()
	s := newStatements(t)
	for _, key := range []string{"s/done/execute", "s/lost/execute"} {
		assert.JSONEq(t, toRun, s.run("SELECT saga_barrier_begin('"+key+"')::text")) // and commits
		_, err := s.pool.Exec(t.Context(), "SELECT saga_barrier_begin('"+key+"')")
		require.ErrorContains(t, err, key+" was entered and not left")
		require.ErrorContains(t, err, "call saga_barrier_end with its reply; if not, delete its row of saga_barrier")
		for _, compensation := range []string{"'" + strings.Replace(key, "execute", "compensate", 1) + "'", "'" + strings.Replace(key, "execute", "compensate", 1) + "', 1, '" + key + "'"} {
			_, err := s.pool.Exec(t.Context(), "SELECT saga_barrier_begin("+compensation+")")
			require.ErrorContains(t, err, key+" was entered and not left", "it may have taken effect")
		}
	}
	_, err := s.pool.Exec(t.Context(), `SELECT saga_barrier_end('s/done/execute', '{"status":"succeeded"}')`)
	require.NoError(t, err)
	assert.JSONEq(t, `{"verdict":"reply","reply":{"status":"succeeded"}}`, s.did("'s/done/execute'", ""))
	_, err = s.pool.Exec(t.Context(), `DELETE FROM saga_barrier WHERE saga_id = 's' AND step = 'lost' AND action = 'execute' AND outcome = 'begun'`)
	require.NoError(t, err)
	assert.JSONEq(t, toRun, s.did("'s/lost/execute'", `{"status":"succeeded"}`))
}

// Drivers bind a reply as json, jsonb, text or varchar.
func TestAReplyMayHaveAnyTypeOfADriver(t *testing.T) {
	t.Parallel()
	s := newStatements(t)
	for i, reply := range []string{"'%s'", "'%s'::json", "'%s'::jsonb", "'%s'::text", "'%s'::varchar"} {
		key := fmt.Sprintf("'s/step-%d/execute'", i)
		_, err := s.pool.Exec(t.Context(), "BEGIN; SELECT saga_barrier_begin("+key+"); SELECT saga_barrier_end("+key+", "+fmt.Sprintf(reply, `{"status":"succeeded"}`)+"); COMMIT")
		require.NoError(t, err, reply)
		assert.JSONEq(t, `{"verdict":"reply","reply":{"status":"succeeded"}}`, s.run("SELECT saga_barrier_begin(key => "+key+")::text"))
	}
}

func TestConcurrentDuplicatesWaitForEachOther(t *testing.T) {
	t.Parallel()
	s := newStatements(t)
	first, err := s.pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = first.Rollback(context.Background()) }()
	_, err = first.Exec(t.Context(), "SELECT saga_barrier_begin('s/charge/execute')")
	require.NoError(t, err)
	second := make(chan string, 1)
	go func() { second <- s.did("'s/charge/execute'", "") }()
	require.Eventually(t, func() bool {
		return s.run("SELECT count(*)::text FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'") == "1"
	}, patience, 5*time.Millisecond)
	_, err = first.Exec(t.Context(), `SELECT saga_barrier_end('s/charge/execute', '{"status":"failed","error":{"code":"busy"}}')`)
	require.NoError(t, err)
	require.NoError(t, first.Commit(t.Context()))
	assert.JSONEq(t, `{"verdict":"reply","reply":{"status":"failed","error":{"code":"busy"}}}`, <-second, "it is a duplicate, not a next attempt")
}

// The functions work on the table that earlier versions made, and its rows are kept.
func TestTheFunctionsAreInstalledOverAnEarlierBarrier(t *testing.T) {
	t.Parallel()
	pool := openPool(t, env.Database(t))
	s := statements{t, pool}
	for _, version := range []string{"0.1.0", "rewinds"} {
		before, err := os.ReadFile("testdata/barrier-" + version + ".sql")
		require.NoError(t, err)
		_, err = pool.Exec(t.Context(), string(before)+`
			INSERT INTO saga_barrier (saga_id, step, action, outcome, attempt, reply) VALUES ('`+version+`', 'charge', 'execute', 'succeeded', 1, '{"status":"succeeded"}')`)
		require.NoError(t, err)
		for range 2 {
			require.NoError(t, steps.NewBarrier(pool).Install(t.Context()))
		}
		assert.JSONEq(t, `{"verdict":"reply","reply":{"status":"succeeded"}}`, s.did("'"+version+"/charge/execute'", ""))
		if version != "0.1.0" { // a replica of the version before starts later than one of this version
			_, err = pool.Exec(t.Context(), string(before))
			require.NoError(t, err)
			assert.JSONEq(t, toRun, s.did("'x/charge/execute'", `{"status":"succeeded"}`))
		}
		_, err = pool.Exec(t.Context(), "DROP TABLE saga_barrier; DROP FUNCTION saga_barrier_enter(text, integer, text); DROP FUNCTION saga_barrier_enter(text, integer, text, boolean); DROP FUNCTION saga_barrier_leave")
		require.NoError(t, err)
	}
}

// Round trips are counted by a proxy. A transaction with one statement has three.
func TestABarrierCallCostsAtMostOneRoundTrip(t *testing.T) {
	t.Parallel()
	s := newPaymentService(t)
	proxy, through, err := pgproxy.Start(s.pool.Config().ConnString())
	require.NoError(t, err)
	t.Cleanup(proxy.Close)
	var trips atomic.Int64
	proxy.Fail(func(string) *pgproxy.Fault {
		trips.Add(1)
		return nil
	})
	pool := openPool(t, through)
	behind := &paymentService{bench: s.bench, pool: pool, barrier: steps.NewBarrier(pool)}
	viaSQL := &paymentService{bench: newBench(t), pool: pool}
	ways := map[string]struct {
		do   func(id string)
		most int64
	}{
		"without a barrier": {func(string) {
			require.NoError(t, pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error { return effect(t.Context(), tx, "charge", 1) }))
		}, 3},
		"pgx":           {func(id string) { behind.ask(ofSaga(id, charge(1))...) }, 3},
		"the functions": {func(id string) { behind.functionsAsker()(ofSaga(id, charge(1))...) }, 5},
		"database/sql":  {nil, 5},
	}
	behind.start(nil)
	ask := viaSQL.sqlAsker(openSQL(t, through))
	for name, way := range ways {
		if way.do == nil {
			way.do = func(id string) { ask(ofSaga(id, charge(1))...) }
		}
		id := strings.NewReplacer("/", "-", " ", "-").Replace(name)
		way.do(id + "-first") // the statements are prepared
		before := trips.Load()
		way.do(id + "-measured")
		assert.Equal(t, way.most, trips.Load()-before, name)
	}
}
