package steps_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

func compensatedAlready() *saga.ReplyError {
	return &saga.ReplyError{Code: steps.CodeCompensated, Message: "the step was compensated before this command came"}
}

// start runs a worker with the usual handlers.
func (s *paymentService) start(meddle func(steps.Command[chargeInput]) error) {
	w := s.worker(steps.Config{})
	s.handlers(w, meddle)
	s.run(w)
}

func TestARepeatedCommandGetsTheSameReplyWithoutASecondEffect(t *testing.T) {
	t.Parallel()
	s := newPaymentService(t)
	s.start(nil)
	first := s.ask(charge(1))
	again := s.ask(charge(1), charge(2), charge(1))
	assert.True(t, first.Succeeded)
	assert.Equal(t, first, again)
	assert.JSONEq(t, `{"chargeId":"c-7"}`, string(again.Output))
	assert.Equal(t, []string{"charge"}, s.effects())
}

func TestACompensationGetsTheOutputThatTheBarrierKept(t *testing.T) {
	t.Parallel()
	s := newPaymentService(t)
	s.start(nil)
	assert.True(t, s.ask(charge(1), refund(1, 1), refund(1, 1), refund(1, 2)).Succeeded)
	assert.Equal(t, []string{"charge", "refund c-7"}, s.effects())
}

func TestACompensationWithoutItsCommandDoesNothingAndRefusesTheCommand(t *testing.T) {
	t.Parallel()
	s := newPaymentService(t)
	s.start(nil)
	assert.True(t, s.ask(refund(1, 1)).Succeeded)
	late := s.ask(charge(1))
	assert.Equal(t, compensatedAlready(), late.Error)
	assert.Equal(t, compensatedAlready(), s.ask(charge(5)).Error)
	assert.True(t, s.ask(refund(1, 2)).Succeeded)
	assert.Empty(t, s.effects())
}

func TestACommandAfterItsCompensationIsRefused(t *testing.T) {
	t.Parallel()
	s := newPaymentService(t)
	s.start(nil)
	assert.Equal(t, compensatedAlready(), s.ask(charge(1), refund(1, 1), charge(1)).Error)
	assert.Equal(t, []string{"charge", "refund c-7"}, s.effects())
}

func TestASecondCompensationReversesOnlyARemainingEffect(t *testing.T) {
	t.Parallel()
	t.Run("compensated by the first round", func(t *testing.T) {
		t.Parallel()
		s := newPaymentService(t)
		s.start(nil)
		assert.True(t, s.ask(charge(1), refund(1, 1), refund(2, 1), refund(3, 1)).Succeeded)
		assert.Equal(t, []string{"charge", "refund c-7"}, s.effects())
	})
	t.Run("nothing ever took effect", func(t *testing.T) {
		t.Parallel()
		s := newPaymentService(t)
		s.start(nil)
		assert.True(t, s.ask(refund(1, 1), charge(1), refund(2, 1)).Succeeded)
		assert.Empty(t, s.effects())
	})
	t.Run("the first round failed", func(t *testing.T) {
		t.Parallel()
		s := newPaymentService(t)
		s.start(func(cmd steps.Command[chargeInput]) error {
			if cmd.IdempotencyKey == "saga-1/charge/compensate" {
				return steps.Fail("no", "not today")
			}
			return nil
		})
		assert.False(t, s.ask(charge(1), refund(1, 1)).Succeeded)
		assert.True(t, s.ask(refund(2, 1)).Succeeded)
		assert.True(t, s.ask(refund(1, 2)).Succeeded, "the first round again: no effect remains")
		assert.Equal(t, []string{"charge", "refund c-7"}, s.effects())
	})
}

// The orchestrator does not compensate after `failed`. So that attempt must never take effect when it is delivered
// again, whatever the reason was. A new attempt may.
func TestAnAttemptThatFailedNeverTakesEffectAndANewOneMay(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"final": steps.Fail("card_declined", "no"), "retryable": steps.Retry("busy", "later"), "any error": errors.New("oops"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPaymentService(t)
			var calls atomic.Int64
			s.start(func(steps.Command[chargeInput]) error {
				if calls.Add(1) == 1 {
					return err
				}
				return nil
			})
			failed := s.ask(charge(2))
			require.NotNil(t, failed.Error)
			assert.Equal(t, failed, s.ask(charge(2)), "the same reply")
			assert.Equal(t, failed.Error, s.ask(charge(1)).Error, "an older attempt that arrives late")
			assert.Empty(t, s.effects())
			assert.True(t, s.ask(charge(3)).Succeeded)
			assert.Equal(t, []string{"charge"}, s.effects())
		})
	}
}

func TestACompensationAfterAFailureDoesNothingAndRefusesLaterAttempts(t *testing.T) {
	t.Parallel()
	s := newPaymentService(t)
	s.start(func(cmd steps.Command[chargeInput]) error {
		if cmd.Action == saga.Execute {
			return steps.Fail("card_declined", "no")
		}
		return nil
	})
	assert.True(t, s.ask(charge(1), refund(1, 1)).Succeeded)
	assert.Equal(t, compensatedAlready(), s.ask(charge(2)).Error)
	assert.Empty(t, s.effects())
}

func TestWorkThatCannotBeKeptIsRolledBackAndReported(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		handle func(ctx context.Context, tx pgx.Tx) (any, error)
		code   string
	}{
		"an output that cannot be sent": {func(context.Context, pgx.Tx) (any, error) { return []int{1}, nil }, steps.CodeInvalidOutput},
		"a panic":                       {func(context.Context, pgx.Tx) (any, error) { panic("oops") }, steps.CodePanic},
		"a statement that failed": {func(ctx context.Context, tx pgx.Tx) (any, error) {
			_, _ = tx.Exec(ctx, "SELECT 1/0")
			return nil, nil
		}, steps.CodeError},
		"a commit by the handler": {func(ctx context.Context, tx pgx.Tx) (any, error) { return nil, tx.Commit(ctx) }, steps.CodeError},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPaymentService(t)
			w := s.worker(steps.Config{})
			steps.HandleTx(w, s.barrier, "payments.charge", func(ctx context.Context, tx pgx.Tx, cmd steps.Command[chargeInput]) (any, error) {
				assert.NoError(t, effect(ctx, tx, "charge", cmd.Attempt))
				return test.handle(ctx, tx)
			})
			s.run(w)
			failed := s.ask(charge(1))
			require.NotNil(t, failed.Error)
			assert.Equal(t, test.code, failed.Error.Code)
			assert.Empty(t, s.effects())
		})
	}
}

func TestAnOutcomeUnknownToTheHandlerLeavesNoTrace(t *testing.T) {
	t.Parallel()
	s := newPaymentService(t)
	s.start(func(steps.Command[chargeInput]) error { return fmt.Errorf("the bank: %w", steps.ErrUnknown) })
	s.send(charge(1))
	s.deadLetter()
	assert.Empty(t, s.effects())
	var rows int
	require.NoError(t, s.pool.QueryRow(t.Context(), "SELECT count(*) FROM saga_barrier").Scan(&rows))
	assert.Zero(t, rows)
}

func TestConcurrentDuplicatesHaveOneEffectAndOneReply(t *testing.T) {
	t.Parallel()
	const copies = 8
	s := newPaymentService(t)
	var calls atomic.Int64
	entered, finish := make(chan struct{}), make(chan struct{})
	s.start(func(steps.Command[chargeInput]) error {
		if calls.Add(1) == 1 {
			close(entered)
		}
		<-finish
		return nil
	})
	for i := range copies { // attempts of one effect: the process would run deliveries of one attempt only once
		s.send(charge(1 + i))
	}
	<-entered
	require.Eventually(t, func() bool { // the others wait at the barrier
		var waiting int
		err := s.pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'").Scan(&waiting)
		return err == nil && waiting == copies-1
	}, patience, 5*time.Millisecond)
	close(finish)
	for i := range copies {
		assert.JSONEq(t, `{"chargeId":"c-7"}`, string(s.reply(i+1).Output))
	}
	assert.Equal(t, []string{"charge"}, s.effects())
	assert.Equal(t, int64(1), calls.Load())
}

// Commands and compensations of one step arrive in any order and concurrently. In the end, every effect is compensated.
func TestACommandAndConcurrentCompensationsLeaveNoEffect(t *testing.T) {
	t.Parallel()
	s := newPaymentService(t)
	w := s.worker(steps.Config{Concurrency: 16})
	s.handlers(w, nil)
	s.run(w)
	const sagas = 40
	var all []wire.Command
	for i := range sagas {
		for _, c := range []wire.Command{charge(1), refund(1, 1), charge(1), refund(2, 1), refund(1, 2)} {
			c.ID.Saga = fmt.Sprintf("saga-%d", i)
			all = append(all, c)
		}
	}
	s.send(all...)
	s.reply(len(all))
	counts := map[string]int{}
	for _, e := range s.effects() {
		counts[e]++
	}
	assert.Equal(t, counts["charge"], counts["refund c-7"], "each charge is refunded exactly once")
}

func TestAnUnavailableDatabaseIsAwaitedWithoutAReply(t *testing.T) {
	t.Parallel()
	s := newPaymentService(t)
	s.start(nil)
	_, err := s.pool.Exec(t.Context(), "ALTER TABLE saga_barrier RENAME TO saga_barrier_away")
	require.NoError(t, err)
	short, long := charge(1), charge(1)
	short.Timeout, short.ID.Saga = 200*time.Millisecond, "saga-short"
	s.send(short, long)
	require.Eventually(t, func() bool { return s.depth() == 0 }, patience, time.Millisecond)
	<-time.After(300 * time.Millisecond) // past the deadline of the short one
	_, err = s.pool.Exec(t.Context(), "ALTER TABLE saga_barrier_away RENAME TO saga_barrier")
	require.NoError(t, err)
	assert.Equal(t, "saga-1", s.reply(1).Command.Saga)
	assert.Equal(t, []string{"charge"}, s.effects())
	replies, dead := s.counts()
	assert.Equal(t, 1, replies, "the attempt that timed out got no reply")
	assert.Zero(t, dead)
}

func TestTheBarrierCanBeInstalledAgainAndForgetsOldRows(t *testing.T) {
	t.Parallel()
	s := newPaymentService(t)
	s.start(nil)
	s.ask(charge(1))
	require.NoError(t, s.barrier.Install(t.Context()))
	assert.True(t, s.ask(charge(1)).Succeeded)
	forgotten, err := s.barrier.Forget(t.Context(), time.Now().Add(-time.Hour))
	require.NoError(t, err)
	assert.Zero(t, forgotten)
	forgotten, err = s.barrier.Forget(t.Context(), time.Now().Add(time.Hour))
	require.NoError(t, err)
	assert.Equal(t, int64(1), forgotten)
}
