package sim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/test/sim"
	"github.com/saga-orchestrator/orchestrator/steps"
)

const barrierMoves = 3000

// Two concurrent transactions make random moves, in the model and in Postgres, and must get the same answers.
func TestTheBarrierModelBehavesLikePostgres(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), env.Database(t))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.NoError(t, steps.NewBarrier(pool).Install(t.Context()))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	model := sim.NewBarrier()
	pairs := []*txPair{{t: t, pool: pool, model: model}, {t: t, pool: pool, model: model}}
	t.Cleanup(func() { // a pool closes only after its transactions have ended
		for _, p := range pairs {
			if p.tx != nil {
				_ = p.tx.Rollback(context.Background())
			}
		}
	})
	for n := range barrierMoves {
		p := pairs[chance.IntN(len(pairs))]
		p.hour = n / 50 // new sagas appear all the time
		p.move(chance)
	}
	for _, p := range pairs {
		p.end(false)
	}
	met := map[string]int{}
	for _, p := range pairs {
		for what, times := range p.met {
			met[what] += times
		}
	}
	t.Log(met)
	for _, what := range []string{"entered", "answered", "output", "busy", "twice", "not entered", "left"} {
		require.Positive(t, met[what], "%s: not tried", what)
	}
}

// txPair is one transaction in the model and in Postgres.
type txPair struct {
	t     *testing.T
	pool  *pgxpool.Pool
	model *sim.Barrier

	modelTx *sim.BarrierTx // nil: no transaction is open
	tx      pgx.Tx
	key     string // entered
	hour    int
	met     map[string]int
}

// move makes a random move, which may be invalid.
func (p *txPair) move(chance *rand.Rand) {
	switch {
	case p.modelTx == nil:
		p.begin()
		p.enter(p.anyKey(chance), 1+chance.IntN(3), chance.IntN(3))
	case p.key != "" && chance.IntN(20) == 0:
		p.enter(p.key, 1+chance.IntN(3), chance.IntN(3))
	case chance.IntN(20) == 0:
		p.leave(p.anyKey(chance), anyReply(chance))
	case p.key != "" && chance.IntN(2) == 0:
		p.leave(p.key, anyReply(chance))
		p.key = ""
	default:
		p.end(chance.IntN(4) > 0)
	}
}

func (p *txPair) anyKey(chance *rand.Rand) string {
	actions := []string{"execute", "execute-2", "compensate", "compensate-2"}
	return fmt.Sprintf("saga-%d/step-%d/%s", p.hour+chance.IntN(2), chance.IntN(2), actions[chance.IntN(len(actions))])
}

func anyReply(chance *rand.Rand) json.RawMessage {
	replies := []string{
		`{"status":"succeeded","output":{"a": 1}}`, `{"status":"succeeded"}`, `{"status":"succeeded","output":null}`,
		`{"status":"failed","error":{"code":"no","retryable":true}}`,
	}
	return json.RawMessage(replies[chance.IntN(len(replies))])
}

func (p *txPair) begin() {
	tx, err := p.pool.Begin(context.Background())
	require.NoError(p.t, err)
	_, err = tx.Exec(context.Background(), "SET LOCAL lock_timeout = '20ms'")
	require.NoError(p.t, err)
	p.tx, p.modelTx = tx, p.model.Begin()
}

// enter names the execution of that number, or none if it is 0.
func (p *txPair) enter(key string, attempt, execution int) {
	var executed *string
	if execution > 0 {
		name := key[:strings.LastIndexByte(key, '/')+1] + []string{"execute", "execute-2"}[execution-1]
		executed = &name
	}
	var reply, output json.RawMessage
	waited := attempt == 2 && execution == 2
	row := p.tx.QueryRow(context.Background(), "SELECT reply, output FROM saga_barrier_enter($1, $2, $3, $4)", key, attempt, executed, waited)
	err := row.Scan(&reply, &output)
	modelReply, modelOutput, modelErr := p.modelTx.Enter(key, attempt, pointed(executed), waited)
	p.compare("enter "+key, err, modelErr)
	if err != nil {
		return
	}
	require.Equal(p.t, string(reply), string(modelReply), "enter %s, attempt %d", key, attempt)
	require.Equal(p.t, string(output), string(modelOutput), "enter %s, attempt %d", key, attempt)
	if reply == nil {
		p.key = key
		p.count("entered")
	} else {
		p.count("answered")
	}
	if output != nil {
		p.count("output")
	}
}

func pointed(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

func (p *txPair) leave(key string, reply json.RawMessage) {
	_, err := p.tx.Exec(context.Background(), "SELECT saga_barrier_leave($1, $2)", key, reply)
	p.compare("leave "+key, err, p.modelTx.Leave(key, reply))
	if err == nil {
		p.count("left")
	}
}

// compare requires that both succeed or both fail in the same way. After a failure it rolls back.
func (p *txPair) compare(what string, err, modelErr error) {
	p.t.Helper()
	if err == nil && modelErr == nil {
		return
	}
	var refusal *pgconn.PgError
	require.ErrorAs(p.t, err, &refusal, "%s: the model says %v", what, modelErr)
	const lockNotAvailable, raised = "55P03", "P0001"
	switch {
	case errors.Is(modelErr, sim.ErrBusy):
		require.Equal(p.t, lockNotAvailable, refusal.Code, "%s: %v", what, err)
		p.count("busy")
	case errors.Is(modelErr, sim.ErrEntered):
		require.Equal(p.t, raised, refusal.Code)
		require.Contains(p.t, refusal.Message, "was entered and not left", what)
		p.count("twice")
	case errors.Is(modelErr, sim.ErrNotEntered):
		require.Equal(p.t, raised, refusal.Code, "%s: %v", what, err)
		require.Contains(p.t, refusal.Message, "was not entered in this transaction", what)
		p.count("not entered")
	default:
		require.Fail(p.t, "the model answers differently", "%s: Postgres says %v, the model %v", what, err, modelErr)
	}
	p.end(false)
}

func (p *txPair) end(commit bool) {
	if p.modelTx == nil {
		return
	}
	if commit && p.key == "" { // a commit without Leave would keep an invisible row forever
		require.NoError(p.t, p.tx.Commit(context.Background()))
		p.modelTx.Commit()
	} else {
		require.NoError(p.t, p.tx.Rollback(context.Background()))
		p.modelTx.Rollback()
	}
	p.modelTx, p.tx, p.key = nil, nil, ""
}

func (p *txPair) count(what string) {
	if p.met == nil {
		p.met = make(map[string]int)
	}
	p.met[what]++
}
