package steps_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// journal is what happens in a test, in its order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

func (j *journal) read() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]string{}, j.lines...)
}

// noting returns a middleware that writes before and after the function.
func (j *journal) noting(name string) steps.ServeOption {
	return steps.WithMiddleware(func(
		ctx context.Context, command steps.Command[json.RawMessage], next func(context.Context) (json.RawMessage, error),
	) (json.RawMessage, error) {
		j.add(name + " before " + command.Name)
		output, err := next(ctx)
		j.add(fmt.Sprintf("%s after %s: %s %v", name, command.Name, output, err))
		return output, err
	})
}

func TestMiddlewaresRunAroundAFunction(t *testing.T) {
	t.Parallel()
	j, b := &journal{}, newBench(t)
	charge := func(_ context.Context, p *purchase) error {
		j.add("charge")
		p.ChargeID = "c-1"
		return nil
	}
	refund := func(context.Context, *purchase) error { return steps.Retry("busy", "later") }
	serveTyped(b, paying(charge, refund), j.noting("outer"), j.noting("inner"))
	b.send(command(saga.Execute, 1))
	assert.JSONEq(t, `{"chargeId":"c-1"}`, string(b.reply(1).Output))
	b.send(command(saga.Compensate, 1))
	assert.Equal(t, "busy", b.reply(2).Error.Code)
	assert.Equal(t, []string{
		"outer before payments.charge", "inner before payments.charge", "charge",
		`inner after payments.charge: {"chargeId":"c-1"} <nil>`, `outer after payments.charge: {"chargeId":"c-1"} <nil>`,
		"outer before payments.refund", "inner before payments.refund",
		"inner after payments.refund:  busy: later", "outer after payments.refund:  busy: later",
	}, j.read())
}

func TestAMiddlewareAnswersInsteadOfAFunction(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	serveTyped(b, paying(unused, unused), steps.WithMiddleware(func(
		_ context.Context, command steps.Command[json.RawMessage], _ func(context.Context) (json.RawMessage, error),
	) (json.RawMessage, error) {
		if command.Action == saga.Compensate {
			return nil, steps.Fail("closed", "the bank is closed")
		}
		return json.RawMessage(`{"chargeId":"c-9"}`), nil
	}))
	b.send(command(saga.Execute, 1))
	assert.JSONEq(t, `{"chargeId":"c-9"}`, string(b.reply(1).Output))
	b.send(command(saga.Compensate, 1))
	assert.Equal(t, "closed", b.reply(2).Error.Code)
}

// Behind a barrier a middleware is part of the transaction: its error takes the work back, and a repeated command does not reach it.
func TestBehindABarrierAMiddlewareIsInsideTheTransaction(t *testing.T) {
	t.Parallel()
	s := newStatements(t)
	_, err := s.pool.Exec(t.Context(), "CREATE TABLE effects (what text)")
	require.NoError(t, err)
	count := func() (n int) {
		require.NoError(t, s.pool.QueryRow(t.Context(), "SELECT count(*) FROM effects").Scan(&n))
		return n
	}
	j, b := &journal{}, newBench(t)
	failing := true
	serveTyped(b, steps.Define[purchase]("order").StepTx("charge", inTx("charge"), nil, saga.CommandName("payments.charge")),
		steps.WithBarrier(steps.NewBarrier(s.pool)), j.noting("once"), steps.WithMiddleware(func(
			ctx context.Context, _ steps.Command[json.RawMessage], next func(context.Context) (json.RawMessage, error),
		) (json.RawMessage, error) {
			output, err := next(ctx)
			if failing {
				return nil, steps.Retry("later", "not yet")
			}
			return output, err
		}))
	b.send(command(saga.Execute, 1))
	assert.Equal(t, "later", b.reply(1).Error.Code)
	assert.Zero(t, count())
	failing = false
	b.send(command(saga.Execute, 2))
	assert.True(t, b.reply(2).Succeeded)
	b.send(command(saga.Execute, 3))
	assert.True(t, b.reply(3).Succeeded)
	assert.Equal(t, 1, count())
	assert.Len(t, j.read(), 4, "the third attempt gets the stored reply")
}
