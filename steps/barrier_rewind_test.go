package steps_test

import (
	"os"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// chargeAgain is the execution of a number, as a rewind makes it.
func chargeAgain(execution int) wire.Command {
	c := charge(1)
	c.ID.Round = execution
	return c
}

// refundOf is a compensation of the execution of a number.
func refundOf(execution, round int) wire.Command {
	c := refund(round, 1)
	c.Body = []byte(`{"data":{},"compensates":"` + chargeAgain(execution).ID.IdempotencyKey() + `"}`)
	return c
}

func TestRule16AnExecutionAfterARewindIsANewEffect(t *testing.T) {
	t.Parallel()
	s := newPaymentService(t)
	s.start(nil)
	assert.True(t, s.ask(charge(1), refund(1, 1)).Succeeded)
	assert.True(t, s.ask(chargeAgain(2), chargeAgain(2)).Succeeded)
	assert.Equal(t, []string{"charge", "charge", "refund c-7"}, s.effects())
	assert.True(t, s.ask(refundOf(2, 2), refundOf(2, 2)).Succeeded)
	assert.Equal(t, []string{"charge", "charge", "refund c-7", "refund c-7"}, s.effects())
	assert.Equal(t, compensatedAlready(), s.ask(chargeAgain(2)).Error)
}

// The numbers differ where the first execution failed, so that it was never compensated.
func TestRule16ACompensationReversesItsOwnExecutionOnly(t *testing.T) {
	t.Parallel()
	s := newPaymentService(t)
	s.start(nil)
	assert.True(t, s.ask(chargeAgain(2), refund(1, 1)).Succeeded, "that of the first execution, which never came")
	assert.Equal(t, []string{"charge"}, s.effects())
	assert.Equal(t, compensatedAlready(), s.ask(charge(1)).Error)
	assert.True(t, s.ask(refundOf(2, 2)).Succeeded)
	assert.Equal(t, []string{"charge", "refund c-7"}, s.effects())
	assert.True(t, s.ask(refundOf(3, 3)).Succeeded)
	assert.Equal(t, compensatedAlready(), s.ask(chargeAgain(3)).Error)
}

func TestACompensationOfAnotherStepsExecutionIsRefused(t *testing.T) {
	t.Parallel()
	s := newPaymentService(t)
	for _, execution := range []string{"'saga-1/other/execute'", "'saga-2/charge/execute'", "'saga-1/charge/compensate'", "'nonsense'", "''"} {
		_, err := s.pool.Exec(t.Context(), "SELECT saga_barrier_enter('saga-1/charge/compensate', 1, "+execution+")")
		require.ErrorContains(t, err, "execution of the same step", execution)
	}
}

// A worker in another language may leave the execution out.
func TestRule16WithoutItsExecutionACompensationReversesTheOneInEffect(t *testing.T) {
	t.Parallel()
	s := newPaymentService(t)
	s.start(nil)
	s.ask(charge(1), refund(1, 1), chargeAgain(2))
	tx, err := s.pool.BeginTx(t.Context(), pgx.TxOptions{})
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	var reply, output *string
	require.NoError(t, tx.QueryRow(t.Context(), "SELECT reply, output FROM saga_barrier_enter('saga-1/charge/compensate-2', 1)").Scan(&reply, &output))
	require.Nil(t, reply)
	require.NotNil(t, output)
	assert.JSONEq(t, `{"chargeId":"c-7"}`, *output)
}

func TestABarrierOfTheVersionBeforeWorksOnAndIsUpgraded(t *testing.T) {
	t.Parallel()
	s := newPaymentService(t)
	before, err := os.ReadFile("testdata/barrier-0.1.0.sql")
	require.NoError(t, err)
	_, err = s.pool.Exec(t.Context(), "DROP FUNCTION saga_barrier_enter(text, integer, text); DROP FUNCTION saga_barrier_enter(text, integer, text, boolean); DROP TABLE saga_barrier; "+string(before))
	require.NoError(t, err)
	s.start(nil)
	assert.True(t, s.ask(charge(1), charge(1)).Succeeded)
	require.NoError(t, s.barrier.Install(t.Context()))
	require.NoError(t, s.barrier.Install(t.Context()))
	assert.True(t, s.ask(refund(1, 1), refund(1, 1), chargeAgain(2)).Succeeded)
	assert.Equal(t, []string{"charge", "charge", "refund c-7"}, s.effects())
}

func TestACommandWithAnotherStepsExecutionIsMalformed(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`"s/other/execute"`, `"x/charge/execute"`, `"s/charge/compensate"`, `"nonsense"`, `1`} {
		_, err := wire.DecodeCommand(wire.Message{
			CorrelationID: "s/charge/compensate/1", Type: "x", ReplyTo: "r", Body: []byte(`{"data":{},"compensates":` + body + `}`),
		})
		require.ErrorContains(t, err, "body", body)
	}
	_, err := wire.DecodeCommand(wire.Message{
		CorrelationID: "s/charge/execute/1", Type: "x", ReplyTo: "r", Body: []byte(`{"data":{},"compensates":"s/charge/execute"}`),
	})
	require.ErrorContains(t, err, "compensates")
	read, err := wire.DecodeCommand(wire.Message{
		CorrelationID: "s/charge/compensate/1", Type: "x", ReplyTo: "r", Body: []byte(`{"data":{},"compensates":"s/charge/execute-2"}`),
	})
	require.NoError(t, err)
	require.Equal(t, "s/charge/execute-2", read.Compensates)
	require.Equal(t, saga.Compensate, read.ID.Direction)
}
