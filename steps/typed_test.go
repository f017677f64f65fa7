package steps_test

import (
	"context"
	"database/sql"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// purchase is the data of the saga that these tests serve. The members orderId and amount come with each command.
type purchase struct {
	OrderID  string         `json:"orderId,omitempty"`
	Amount   int            `json:"amount"`
	ChargeID string         `json:"chargeId,omitempty"`
	Tags     map[string]int `json:"tags,omitempty"`
}

type purchaseFunction = func(context.Context, *purchase) error

// paying returns a saga whose step has the commands that package command sends.
func paying(charge, refund purchaseFunction) *steps.Saga[purchase] {
	return steps.Define[purchase]("order").
		Step("charge", charge, refund, saga.CommandName("payments.charge"), saga.CompensatedBy("payments.refund"))
}

func serveTyped[T any](b *bench, s *steps.Saga[T], options ...steps.ServeOption) {
	background(b.t, func(ctx context.Context) { assert.NoError(b.t, s.Serve(ctx, b.broker, options...)) })
}

func unused(context.Context, *purchase) error { return errors.New("not called in this test") }

// with returns an execute command with a body.
func with(body string) wire.Command {
	c := command(saga.Execute, 1)
	c.Body = []byte(body)
	return c
}

func TestTheMembersThatAFunctionChangesAreTheOutput(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		body, output string
		change       func(*purchase)
	}{
		"a member is added":               {`{"data":{"amount":1}}`, `{"chargeId":"<c>"}`, func(p *purchase) { p.ChargeID = "<c>" }},
		"a member is changed":             {`{"data":{"amount":1,"chargeId":"a"}}`, `{"amount":2}`, func(p *purchase) { p.Amount = 2 }},
		"nothing is changed":              {`{"data":{"amount":1}}`, ``, func(*purchase) {}},
		"a member gets its own value":     {`{"data":{"amount":1}}`, ``, func(p *purchase) { p.Amount = 1 }},
		"a zero that is not omitted":      {`{"data":{"amount":1}}`, `{"amount":0}`, func(p *purchase) { p.Amount = 0 }},
		"an emptied member is null":       {`{"data":{"orderId":"7"}}`, `{"orderId":null}`, func(p *purchase) { p.OrderID = "" }},
		"unknown members are left alone":  {`{"data":{"color":"red"}}`, `{"amount":3}`, func(p *purchase) { p.Amount = 3 }},
		"a null member counts as zero":    {`{"data":{"chargeId":null}}`, `{"chargeId":"c"}`, func(p *purchase) { p.ChargeID = "c" }},
		"a map is changed in its place":   {`{"data":{"tags":{"a":1}}}`, `{"tags":{"a":1,"b":2}}`, func(p *purchase) { p.Tags["b"] = 2 }},
		"a command without data has zero": {`{}`, `{"amount":5}`, func(p *purchase) { p.Amount = 5 }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			serveTyped(b, paying(func(_ context.Context, p *purchase) error { test.change(p); return nil }, unused))
			b.send(with(test.body))
			reply := b.reply(1)
			require.True(t, reply.Succeeded, "%+v", reply.Error)
			if test.output == "" {
				assert.Nil(t, reply.Output)
				return
			}
			assert.JSONEq(t, test.output, string(reply.Output))
		})
	}
}

// untagged has no tags, as data may have that was started over REST with names in lower case.
type untagged struct {
	OrderID string
	Amount  int
	Note    string
}

// encoding/json reads a member of another case, and writes the name of the field: the next step would read the old member.
func TestAStepChangesTheMemberThatItHasRead(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	serveTyped(b, steps.Define[untagged]("order").Pivot("charge", func(_ context.Context, data *untagged) error {
		data.Amount++
		return nil
	}, saga.CommandName("payments.charge")))
	for i, test := range []struct{ data, output string }{
		{`{"orderId":"42","amount":120}`, `{"amount":121}`},
		{`{"Amount":1}`, `{"Amount":2}`},
		{`{"Amount":1,"amount":120}`, `{"Amount":2}`},
		{`{"amount":120,"Amount":1}`, `{"Amount":2}`},
		{`{"AMOUNT":7,"amount":120}`, `{"amount":121}`},
		{`{"orderId":"42"}`, `{"Amount":1}`},
	} {
		send := with(`{"data":` + test.data + `}`)
		send.ID.Attempt = i + 1
		b.send(send)
		assert.JSONEq(t, test.output, string(b.reply(i+1).Output), test.data)
	}
}

func TestAMapCanBeTheData(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	serveTyped(b, steps.Define[map[string]any]("order").Pivot("charge", func(_ context.Context, data *map[string]any) error {
		(*data)["chargeId"] = "c-1"
		delete(*data, "amount")
		return nil
	}, saga.CommandName("payments.charge")))
	b.send(command(saga.Execute, 1))
	assert.JSONEq(t, `{"chargeId":"c-1","amount":null}`, string(b.reply(1).Output))
}

func TestACompensationGetsTheDataWithTheOutputOfItsStep(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	got := make(chan purchase, 1)
	serveTyped(b, paying(unused, func(ctx context.Context, p *purchase) error {
		cmd, ok := steps.CommandOf(ctx)
		assert.True(t, ok)
		assert.Equal(t, "saga-1/charge/compensate", cmd.IdempotencyKey)
		got <- *p
		p.ChargeID = "is not kept"
		return nil
	}))
	b.send(command(saga.Compensate, 1))
	reply := b.reply(1)
	assert.True(t, reply.Succeeded)
	assert.Nil(t, reply.Output)
	assert.Equal(t, purchase{OrderID: "42", Amount: 120, ChargeID: "c-1"}, <-got)
}

func TestWhatDoesNotFitATypedFunctionFails(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	serveTyped(b, paying(unused, unused))
	b.send(with(`{"data":{"amount":"much"}}`))
	assert.Equal(t, steps.CodeInvalidData, b.reply(1).Error.Code)
	b.send(command(saga.Execute, 2))
	assert.Equal(t, steps.CodeError, b.reply(2).Error.Code)
	_, ok := steps.CommandOf(t.Context())
	assert.False(t, ok)
}

// unsendable is data whose JSON can become invalid.
type unsendable struct {
	Rate float64 `json:"rate"`
}

func TestATypedFunctionWhoseOutputCannotBeSentTookEffect(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	serveTyped(b, steps.Define[unsendable]("order").Pivot("charge", func(_ context.Context, data *unsendable) error {
		zero := 0.0
		data.Rate = 1 / zero
		return nil
	}, saga.CommandName("payments.charge")))
	b.send(command(saga.Execute, 1))
	unusable(t, b, "unsupported value: +Inf")
}

func TestTypedFunctionsBehindABarrierTakeEffectOnce(t *testing.T) {
	t.Parallel()
	s := newStatements(t)
	_, err := s.pool.Exec(t.Context(), "CREATE TABLE effects (what text)")
	require.NoError(t, err)
	db := closed(t, stdlib.OpenDBFromPool(s.pool))
	for name, serve := range map[string]func(b *bench){
		"pgx": func(b *bench) {
			serveTyped(b, steps.Define[purchase]("order").StepTx("charge", inTx("charge"), inTx("refund"),
				saga.CommandName("payments.charge"), saga.CompensatedBy("payments.refund")), steps.WithBarrier(steps.NewBarrier(s.pool)))
		},
		"database/sql": func(b *bench) {
			serveTyped(b, steps.Define[purchase]("order").StepSQL("charge", inSQL("charge"), inSQL("refund"),
				saga.CommandName("payments.charge"), saga.CompensatedBy("payments.refund")), steps.WithSQLBarrier(steps.NewSQLBarrier(db)))
		},
	} {
		b := newBench(t)
		serve(b)
		execute, compensate := command(saga.Execute, 1), command(saga.Compensate, 1)
		execute.ID.Saga, compensate.ID.Saga = "saga-"+name[:3], "saga-"+name[:3]
		compensate.Body = []byte(`{"data":{"orderId":"` + name + `"}}`) // the barrier knows the output
		execute.Body = compensate.Body
		b.send(execute)
		b.reply(1)
		b.send(execute)
		assert.JSONEq(t, `{"chargeId":"c-`+name+`"}`, string(b.reply(2).Output))
		b.send(compensate)
		b.reply(3)
		b.send(compensate)
		assert.True(t, b.reply(4).Succeeded)
		assert.Equal(t, "charge "+name+", refund c-"+name, s.run("SELECT string_agg(what, ', ') FROM effects WHERE what LIKE '%"+name+"'"))
	}
}

const insertEffect = "INSERT INTO effects VALUES ($1)"

// effectOf returns what a function records, and changes the data as a step does.
func effectOf(what string, p *purchase) string {
	if what == "charge" {
		p.ChargeID = "c-" + p.OrderID
		return what + " " + p.OrderID
	}
	return what + " " + p.ChargeID
}

func inTx(what string) func(context.Context, pgx.Tx, *purchase) error {
	return func(ctx context.Context, tx pgx.Tx, p *purchase) error {
		_, err := tx.Exec(ctx, insertEffect, effectOf(what, p))
		return err
	}
}

func inSQL(what string) func(context.Context, steps.SQLTx, *purchase) error {
	return func(ctx context.Context, tx steps.SQLTx, p *purchase) error {
		_, err := tx.ExecContext(ctx, insertEffect, effectOf(what, p))
		return err
	}
}

func TestAnOutputThatCannotBeSentIsRolledBack(t *testing.T) {
	t.Parallel()
	pool := openPool(t, env.Database(t))
	barrier := steps.NewBarrier(pool)
	require.NoError(t, barrier.Install(t.Context()))
	_, err := pool.Exec(t.Context(), "CREATE TABLE effects (what text)")
	require.NoError(t, err)
	b := newBench(t)
	serveTyped(b, steps.Define[unsendable]("order").PivotTx("charge", func(ctx context.Context, tx pgx.Tx, data *unsendable) error {
		zero := 0.0
		data.Rate = 1 / zero
		_, err := tx.Exec(ctx, insertEffect, "charged")
		return err
	}, saga.CommandName("payments.charge")), steps.WithBarrier(barrier))
	b.send(command(saga.Execute, 1))
	assert.Equal(t, steps.CodeInvalidOutput, b.reply(1).Error.Code)
	assert.Zero(t, count(t, pool))
}

func count(t *testing.T, pool *pgxpool.Pool) (rows int) {
	t.Helper()
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM effects").Scan(&rows))
	return rows
}

var _ steps.SQLTx = (*sql.Tx)(nil)
