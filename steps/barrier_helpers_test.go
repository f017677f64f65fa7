package steps_test

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// paymentService has a table in which every effect leaves a row, so that tests can count them.
type paymentService struct {
	*bench
	pool    *pgxpool.Pool
	barrier *steps.Barrier
}

const serviceTable = `CREATE TABLE IF NOT EXISTS effects (effect text NOT NULL, attempt integer NOT NULL)`

func newPaymentService(t *testing.T) *paymentService {
	t.Helper()
	pool := openPool(t, env.Database(t))
	s := &paymentService{bench: newBench(t), pool: pool, barrier: steps.NewBarrier(pool)}
	require.NoError(t, s.barrier.Install(t.Context()))
	_, err := pool.Exec(t.Context(), serviceTable)
	require.NoError(t, err)
	return s
}

func openPool(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	require.NoError(t, err)
	config.MaxConns = 20
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	return pool
}

// effect writes into the service's own table, as a handler would.
func effect(ctx context.Context, tx pgx.Tx, name string, attempt int) error {
	_, err := tx.Exec(ctx, "INSERT INTO effects VALUES ($1, $2)", name, attempt)
	return err
}

// handlers registers a charge and a refund. meddle, if non-nil, can make one fail after its effect.
func (s *paymentService) handlers(w *steps.Worker, meddle func(cmd steps.Command[chargeInput]) error) {
	if meddle == nil {
		meddle = func(steps.Command[chargeInput]) error { return nil }
	}
	steps.HandleTx(w, s.barrier, "payments.charge", func(ctx context.Context, tx pgx.Tx, cmd steps.Command[chargeInput]) (chargeOutput, error) {
		err := effect(ctx, tx, "charge", cmd.Attempt)
		return chargeOutput{ChargeID: "c-7"}, errors.Join(err, meddle(cmd))
	})
	steps.HandleTx(w, s.barrier, "payments.refund", func(ctx context.Context, tx pgx.Tx, cmd steps.Command[chargeInput]) (steps.None, error) {
		var output chargeOutput
		if _, err := cmd.DecodeOutput(&output); err != nil {
			return steps.None{}, err
		}
		err := effect(ctx, tx, "refund "+output.ChargeID, cmd.Attempt)
		return steps.None{}, errors.Join(err, meddle(cmd))
	})
}

// ask sends commands one after the other and returns the reply to the last.
func (s *paymentService) ask(commands ...wire.Command) saga.Reply {
	s.t.Helper()
	var last saga.Reply
	for _, c := range commands {
		before, _ := s.counts()
		s.send(c)
		last = s.reply(before + 1)
	}
	return last
}

// effects returns the rows of the service's table.
func (s *paymentService) effects() []string {
	s.t.Helper()
	rows, err := s.pool.Query(s.t.Context(), "SELECT effect FROM effects ORDER BY effect")
	require.NoError(s.t, err)
	found, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(s.t, err)
	return found
}

func charge(attempt int) wire.Command { return command(saga.Execute, attempt) }

// refund is a compensation whose output the orchestrator does not know.
func refund(round, attempt int) wire.Command {
	c := command(saga.Compensate, attempt)
	c.ID.Round, c.Body = round, []byte(`{"data":{}}`)
	return c
}
