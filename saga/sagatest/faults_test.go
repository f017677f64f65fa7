package sagatest_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/sagatest"
	"github.com/saga-orchestrator/orchestrator/steps"
)

func TestMistakesOfATestAreNamed(t *testing.T) {
	t.Parallel()
	for want, test := range map[string]func(t *recorded){
		"the saga is completed, want compensated": func(t *recorded) {
			sagatest.New(t, (&shop{}).order()).Start(Order{ID: "1", Amount: 1}).Expect(saga.Compensated)
		},
		"the steps are\n  reserve, charge, confirm, receipt\nwant\n  charge": func(t *recorded) {
			sagatest.New(t, (&shop{}).order()).Start(Order{ID: "1", Amount: 1}).ExpectSteps("charge")
		},
		`want
  {"orderId":"2","amount":1}`: func(t *recorded) {
			sagatest.New(t, (&shop{}).order()).Start(Order{ID: "1", Amount: 1}).ExpectData(Order{ID: "2", Amount: 1})
		},
		"definition order has no step pay":                  func(t *recorded) { sagatest.New(t, (&shop{}).order()).Execute("pay", sagatest.Call()) },
		"the test has no definition trip":                   func(t *recorded) { sagatest.New(t, (&shop{}).order()).Execute("trip/hotel", sagatest.Call()) },
		"step confirm sends no command to compensate it":    func(t *recorded) { sagatest.New(t, (&shop{}).order()).Compensate("confirm", sagatest.Call()) },
		"step charge: want at least one outcome":            func(t *recorded) { sagatest.New(t, (&shop{}).order()).Execute("charge") },
		"step nap sends no command, it waits":               func(t *recorded) { sagatest.New(t, saga.New("nap").Delay("nap", 1e9)).Execute("nap", sagatest.Call()) },
		"the data must encode to a JSON object, not to [1]": func(t *recorded) { sagatest.New(t, (&shop{}).order()).Start([]int{1}) },
		"the output must encode to a JSON object, not to 1": func(t *recorded) {
			test := sagatest.New(t, (&shop{}).order())
			test.Execute("reserve", sagatest.Succeed(1))
			test.Start(nil)
		},
		"signal approve: no step of the definition waits for this signal": func(t *recorded) {
			sagatest.New(t, (&shop{}).order()).Start(nil).Signal("approve", nil)
		},
		"step reserve has started no saga": func(t *recorded) { sagatest.New(t, (&shop{}).order()).Start(nil).Child("reserve") },
		"definition ship does not exist":   func(t *recorded) { sagatest.New(t, saga.New("order").Child("ship", "ship")).Start(nil) },
		"build the definition":             func(t *recorded) { sagatest.New(t, saga.New("no name")) },
	} {
		assert.Contains(t, failing(test), want)
	}
	assert.Empty(t, failing(func(t *recorded) {
		sagatest.New(t, (&shop{}).order()).Start(Order{ID: "1", Amount: 1}).Expect(saga.Completed)
	}))
}

// tickets is a saga whose function takes a transaction.
func tickets() *steps.Saga[Order] {
	buy := func(ctx context.Context, tx pgx.Tx, o *Order) error {
		_, err := tx.Exec(ctx, "insert into tickets (order_id) values ($1)", o.ID)
		return err
	}
	cancel := func(ctx context.Context, tx pgx.Tx, o *Order) error {
		_, err := tx.Exec(ctx, "delete from tickets where order_id = $1", o.ID)
		return err
	}
	return steps.Define[Order]("tickets").StepTx("buy", buy, cancel).Pivot("print", func(_ context.Context, o *Order) error {
		if o.Amount > 1 {
			return steps.Fail("no_paper", "out of paper")
		}
		return nil
	})
}

func TestFunctionsBehindABarrierNeedIt(t *testing.T) {
	t.Parallel()
	assert.Contains(t, failing(func(t *recorded) { sagatest.New(t, tickets()) }), "Serve needs WithBarrier")
	sagatest.New(t, sagatest.Defined(tickets().MustBuild())).Start(nil).Expect(saga.Completed)
}

// With a real database the barrier is tested, too.
func TestABarrierMakesARepeatedCommandTakeEffectOnce(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), env.Database(t))
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	_, err = pool.Exec(t.Context(), "create table tickets (order_id text)")
	require.NoError(t, err)
	barrier := steps.NewBarrier(pool)
	require.NoError(t, barrier.Install(t.Context()))
	count := func() (n int) {
		require.NoError(t, pool.QueryRow(t.Context(), "select count(*) from tickets").Scan(&n))
		return n
	}
	test := sagatest.New(t, tickets(), steps.WithBarrier(barrier))
	test.Execute("buy", sagatest.LoseReply(), sagatest.LoseReply(), sagatest.Call())
	bought := test.Start(Order{ID: "1", Amount: 1})
	bought.Settle()
	bought.Expect(saga.Completed)
	assert.Equal(t, 3, bought.Saga().Steps[0].Attempts)
	assert.Equal(t, 1, count())
	test.Start(Order{ID: "2", Amount: 2}).Settle()
	assert.Equal(t, 1, count(), "the second was cancelled")
}

// Workers with handlers of their own do the steps of a definition.
func TestAWorkerHandlesItsCommands(t *testing.T) {
	t.Parallel()
	worker := steps.NewWorker("hotels", steps.Config{})
	steps.Handle(worker, "hotels.book", func(_ context.Context, command steps.Command[Order]) (map[string]string, error) {
		return map[string]string{"room": "12 for " + command.Data.ID}, nil
	})
	test := sagatest.New(t, saga.New("trip").Step("hotel", "hotels.book").Step("taxi", "taxis.book").Step("bar", "hotels.drink"))
	test.Serve(worker)
	trip := test.Start(Order{ID: "Ada"})
	trip.Expect(saga.Completed)
	trip.ExpectData(map[string]any{"orderId": "Ada", "amount": 0, "room": "12 for Ada"})
}

func TestAPanicIsAFailure(t *testing.T) {
	t.Parallel()
	panics := steps.Define[Order]("panics").Step("only", func(context.Context, *Order) error { panic("oh no") }, nil)
	run := sagatest.New(t, panics).Start(Order{})
	run.Settle()
	run.Expect(saga.Compensated)
	assert.Contains(t, run.Explain(), "oh no")
}
