package sim_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
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

// Two transactions at a time do what they like, in the model and in Postgres, and get the same answers.
func TestTheModelOfTheBarrierAnswersAsPostgresDoes(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), env.Database(t))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	require.NoError(t, steps.NewBarrier(pool).Install(t.Context()))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	model := sim.NewBarrier()
	pairs := []*passages{{t: t, pool: pool, model: model}, {t: t, pool: pool, model: model}}
	t.Cleanup(func() { // a pool closes when its transactions have ended
		for _, p := range pairs {
			if p.tx != nil {
				_ = p.tx.Rollback(context.Background())
			}
		}
	})
	for n := range barrierMoves {
		p := pairs[chance.IntN(len(pairs))]
		p.hour = n / 50 // sagas come and go, so that there is always something new
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

// passages is one transaction, twice.
type passages struct {
	t     *testing.T
	pool  *pgxpool.Pool
	model *sim.Barrier

	passage *sim.Passage // nil: none is under way
	tx      pgx.Tx
	key     string // entered
	hour    int
	met     map[string]int
}

// move does what may come next in a transaction, and also what may not.
func (p *passages) move(chance *rand.Rand) {
	switch {
	case p.passage == nil:
		p.begin()
		p.enter(p.anyKey(chance), 1+chance.IntN(3))
	case p.key != "" && chance.IntN(20) == 0:
		p.enter(p.key, 1+chance.IntN(3))
	case chance.IntN(20) == 0:
		p.leave(p.anyKey(chance), anyReply(chance))
	case p.key != "" && chance.IntN(2) == 0:
		p.leave(p.key, anyReply(chance))
		p.key = ""
	default:
		p.end(chance.IntN(4) > 0)
	}
}

func (p *passages) anyKey(chance *rand.Rand) string {
	actions := []string{"execute", "compensate", "compensate-2"}
	return fmt.Sprintf("saga-%d/step-%d/%s", p.hour+chance.IntN(2), chance.IntN(2), actions[chance.IntN(len(actions))])
}

func anyReply(chance *rand.Rand) json.RawMessage {
	replies := []string{
		`{"status":"succeeded","output":{"a": 1}}`, `{"status":"succeeded"}`, `{"status":"succeeded","output":null}`,
		`{"status":"failed","error":{"code":"no","retryable":true}}`,
	}
	return json.RawMessage(replies[chance.IntN(len(replies))])
}

func (p *passages) begin() {
	tx, err := p.pool.Begin(context.Background())
	require.NoError(p.t, err)
	_, err = tx.Exec(context.Background(), "SET LOCAL lock_timeout = '20ms'")
	require.NoError(p.t, err)
	p.tx, p.passage = tx, p.model.Begin()
}

func (p *passages) enter(key string, attempt int) {
	var reply, output json.RawMessage
	row := p.tx.QueryRow(context.Background(), "SELECT reply, output FROM saga_barrier_enter($1, $2)", key, attempt)
	err := row.Scan(&reply, &output)
	modelReply, modelOutput, modelErr := p.passage.Enter(key, attempt)
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

func (p *passages) leave(key string, reply json.RawMessage) {
	_, err := p.tx.Exec(context.Background(), "SELECT saga_barrier_leave($1, $2)", key, reply)
	p.compare("leave "+key, err, p.passage.Leave(key, reply))
	if err == nil {
		p.count("left")
	}
}

// compare wants both to fail, in the same way, or none. What has failed is rolled back.
func (p *passages) compare(what string, err, modelErr error) {
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
		require.Contains(p.t, refusal.Message, "was entered in this transaction already", what)
		p.count("twice")
	case errors.Is(modelErr, sim.ErrNotEntered):
		require.Equal(p.t, raised, refusal.Code, "%s: %v", what, err)
		require.Contains(p.t, refusal.Message, "was not entered in this transaction", what)
		p.count("not entered")
	default:
		require.Fail(p.t, "the model answers otherwise", "%s: Postgres says %v, the model %v", what, err, modelErr)
	}
	p.end(false)
}

func (p *passages) end(commit bool) {
	if p.passage == nil {
		return
	}
	if commit && p.key == "" { // one that has entered and not left would keep a row for ever that nobody else may see
		require.NoError(p.t, p.tx.Commit(context.Background()))
		p.passage.Commit()
	} else {
		require.NoError(p.t, p.tx.Rollback(context.Background()))
		p.passage.Rollback()
	}
	p.passage, p.tx, p.key = nil, nil, ""
}

func (p *passages) count(what string) {
	if p.met == nil {
		p.met = make(map[string]int)
	}
	p.met[what]++
}
