package steps_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// asker sends commands to a worker of one kind, one after the other, and returns the last reply.
type asker func(commands ...wire.Command) saga.Reply

// declining is the saga whose first attempt to charge fails after its effect.
const declining = "saga-declining"

func decline(cmd steps.Command[chargeInput]) error {
	if cmd.SagaID == declining && cmd.Action == saga.Execute && cmd.Attempt == 1 {
		return steps.Retry("bank_busy", "later")
	}
	return nil
}

// kinds returns a worker of every kind on the service's database.
func (s *paymentService) kinds() map[string]asker {
	url := s.pool.Config().ConnString()
	return map[string]asker{
		"pgx":                        s.pgxAsker(),
		"database/sql":               s.sqlAsker(closed(s.t, stdlib.OpenDBFromPool(s.pool))),
		"database/sql, simple query": s.sqlAsker(openSQL(s.t, url+"&default_query_exec_mode=simple_protocol")),
		"the functions":              s.functionsAsker(),
	}
}

func openSQL(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url)
	require.NoError(t, err)
	return closed(t, db)
}

// closed closes a pool at the end of the test.
func closed(t *testing.T, db *sql.DB) *sql.DB {
	t.Helper()
	t.Cleanup(func() { assert.NoError(t, db.Close()) })
	return db
}

func (s *paymentService) pgxAsker() asker {
	own := &paymentService{bench: newBench(s.t), pool: s.pool, barrier: s.barrier}
	own.start(decline)
	return own.ask
}

func (s *paymentService) sqlAsker(db *sql.DB) asker {
	own := &paymentService{bench: newBench(s.t), pool: s.pool}
	w, barrier := own.worker(steps.Config{}), steps.NewSQLBarrier(db)
	require.NoError(s.t, barrier.Install(s.t.Context()))
	steps.HandleSQL(w, barrier, "payments.charge", func(ctx context.Context, tx steps.SQLTx, cmd steps.Command[chargeInput]) (chargeOutput, error) {
		_, err := tx.ExecContext(ctx, "INSERT INTO effects VALUES ('charge', $1)", cmd.Attempt)
		return chargeOutput{ChargeID: "c-7"}, errors.Join(err, decline(cmd))
	})
	steps.HandleSQL(w, barrier, "payments.refund", func(ctx context.Context, tx steps.SQLTx, cmd steps.Command[chargeInput]) (steps.None, error) {
		var output chargeOutput
		_, err := cmd.DecodeOutput(&output)
		if err == nil {
			_, err = tx.ExecContext(ctx, "INSERT INTO effects VALUES ($1, $2)", "refund "+output.ChargeID, cmd.Attempt)
		}
		return steps.None{}, err
	})
	own.run(w)
	return own.ask
}

// said is what saga_barrier_begin returns.
type said struct {
	Verdict string          `json:"verdict"`
	Reply   json.RawMessage `json:"reply"`
	Output  *chargeOutput   `json:"output"`
}

// functionsAsker does what docs/protocol.md tells a worker in another language to do.
func (s *paymentService) functionsAsker() asker {
	return func(commands ...wire.Command) (last saga.Reply) {
		for _, c := range commands {
			delivery, err := wire.DecodeCommand(c.Message("replies", c.CreatedAt))
			require.NoError(s.t, err)
			var body []byte
			if c.ID.Saga == declining && c.ID.Direction == saga.Execute && c.ID.Attempt == 1 {
				body = s.byFunctions(delivery, "", `{"status":"failed","error":{"code":"bank_busy","message":"later"}}`)
			} else if c.ID.Direction == saga.Execute {
				body = s.byFunctions(delivery, "charge", `{"status":"succeeded","output":{"chargeId":"c-7"}}`)
			} else {
				body = s.byFunctions(delivery, "refund ", `{"status":"succeeded"}`)
			}
			last, err = wire.DecodeReply(delivery.ID.String(), body)
			require.NoError(s.t, err)
		}
		return last
	}
}

func (s *paymentService) byFunctions(delivery wire.Delivery, work, reply string) []byte {
	key, execution := delivery.ID.IdempotencyKey(), delivery.ID.Saga+"/"+delivery.ID.Step+"/execute"
	if delivery.Compensates != "" {
		execution = delivery.Compensates
	}
	err := pgx.BeginFunc(s.t.Context(), s.pool, func(tx pgx.Tx) error {
		var begun said
		if err := tx.QueryRow(s.t.Context(), "SELECT saga_barrier_begin($1, $2, $3, $4)", key, delivery.ID.Attempt, execution, delivery.Waited).Scan(&begun); err != nil {
			return err
		}
		if begun.Verdict != "run" {
			reply = string(begun.Reply)
			return nil
		}
		if begun.Output == nil && delivery.Output != nil {
			if err := json.Unmarshal(delivery.Output, &begun.Output); err != nil {
				return err
			}
		}
		if begun.Output != nil {
			work += begun.Output.ChargeID
		}
		if work != "" {
			if err := effect(s.t.Context(), tx, work, delivery.ID.Attempt); err != nil {
				return err
			}
		}
		_, err := tx.Exec(s.t.Context(), "SELECT saga_barrier_end($1, $2)", key, reply)
		return err
	})
	require.NoError(s.t, err)
	return []byte(reply)
}

func ofSaga(id string, commands ...wire.Command) []wire.Command {
	for i := range commands {
		commands[i].ID.Saga = id
	}
	return commands
}

// Workers of two kinds share a table: what one has done, the other knows.
func TestBarriersOfEveryKindAreInterchangeable(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"pgx", "database/sql", "database/sql, simple query", "the functions"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel()
			s := newPaymentService(t)
			all := s.kinds()
			require.Len(t, all, 4)
			for second, b := range all {
				a := all[first]
				_, err := s.pool.Exec(t.Context(), "TRUNCATE effects, saga_barrier")
				require.NoError(t, err)
				charged := a(charge(1))
				assert.True(t, charged.Succeeded, second)
				again := b(charge(1))
				assert.JSONEq(t, string(charged.Output), string(again.Output), second)
				assert.True(t, b(refund(1, 1)).Succeeded, second)
				assert.True(t, a(refund(1, 1)).Succeeded, second)
				assert.Equal(t, compensatedAlready(), a(charge(1)).Error, second)
				assert.Equal(t, []string{"charge", "refund c-7"}, s.effects(), second)

				assert.True(t, a(ofSaga("saga-2", refund(1, 1))...).Succeeded, second)
				assert.Equal(t, compensatedAlready(), b(ofSaga("saga-2", charge(1))...).Error, second)
				assert.Equal(t, []string{"charge", "refund c-7"}, s.effects(), second)

				failed := a(ofSaga(declining, charge(1))...)
				assert.Equal(t, &saga.ReplyError{Code: "bank_busy", Message: "later", Retryable: true}, failed.Error, second)
				assert.Equal(t, failed.Error, b(ofSaga(declining, charge(1))...).Error, second)
				assert.Equal(t, []string{"charge", "refund c-7"}, s.effects(), "the failed attempt left no effect")
				assert.True(t, b(ofSaga(declining, charge(2))...).Succeeded, second)
				assert.True(t, a(ofSaga(declining, charge(2))...).Succeeded, second)
				assert.Equal(t, []string{"charge", "charge", "refund c-7"}, s.effects(), second)
			}
		})
	}
}

// A step that waited took effect without a command, so the barrier has no row of it. Its compensation runs nevertheless, once.
func TestTheCompensationOfAStepThatWaitedRuns(t *testing.T) {
	t.Parallel()
	s := newPaymentService(t)
	for kind, ask := range s.kinds() {
		_, err := s.pool.Exec(t.Context(), "TRUNCATE effects, saga_barrier")
		require.NoError(t, err)
		approved := refund(1, 1)
		approved.Body = []byte(`{"data":{},"output":{"chargeId":"by-ada"},"waited":true}`)
		assert.True(t, ask(approved, approved).Succeeded, kind)
		assert.Equal(t, []string{"refund by-ada"}, s.effects(), kind)
		again := approved
		again.ID.Round = 2
		assert.True(t, ask(again).Succeeded, kind)
		assert.Equal(t, []string{"refund by-ada"}, s.effects(), "%s: once more, nothing is left to compensate", kind)
		assert.Equal(t, compensatedAlready(), ask(charge(1)).Error, kind)
	}
}

// A handler of database/sql that ignores the error of a statement has no effect, and its work is not kept.
func TestWorkOfDatabaseSQLThatCannotBeKeptIsRolledBackAndReported(t *testing.T) {
	t.Parallel()
	s := newPaymentService(t)
	w := s.worker(steps.Config{})
	steps.HandleSQL(w, steps.NewSQLBarrier(openSQL(t, s.pool.Config().ConnString())), "payments.charge",
		func(ctx context.Context, tx steps.SQLTx, cmd steps.Command[chargeInput]) (chargeOutput, error) {
			_, err := tx.ExecContext(ctx, "INSERT INTO effects VALUES ('charge', $1)", cmd.Attempt)
			require.NoError(t, err)
			if cmd.Attempt == 1 {
				_, _ = tx.ExecContext(ctx, "SELECT 1/0")
			}
			_, ends := tx.(interface{ Commit() error })
			assert.False(t, ends, "a handler cannot end the transaction")
			return chargeOutput{ChargeID: "c-7"}, nil
		})
	s.run(w)
	failed := s.ask(charge(1), charge(1))
	require.NotNil(t, failed.Error)
	assert.Equal(t, steps.CodeError, failed.Error.Code)
	assert.Empty(t, s.effects())
	assert.True(t, s.ask(charge(2)).Succeeded)
	assert.Equal(t, []string{"charge"}, s.effects())
}

func TestAnSQLBarrierForgetsOldRowsAndNamesItsFunctionsWhenTheyAreMissing(t *testing.T) {
	t.Parallel()
	db := openSQL(t, env.Database(t))
	barrier := steps.NewSQLBarrier(db)
	require.NoError(t, barrier.Install(t.Context()))
	_, err := db.ExecContext(t.Context(), "INSERT INTO saga_barrier (saga_id, step, action, outcome, attempt, created_at) VALUES ('s', 'a', 'execute', 'failed', 1, now() - interval '2 days'), ('s', 'b', 'execute', 'failed', 1, now())")
	require.NoError(t, err)
	row := db.QueryRowContext(t.Context(), "SELECT now() - interval '1 day'")
	var dayAgo sql.NullTime
	require.NoError(t, row.Scan(&dayAgo))
	forgotten, err := barrier.Forget(t.Context(), dayAgo.Time)
	require.NoError(t, err)
	assert.Equal(t, int64(1), forgotten)
}
