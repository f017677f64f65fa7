package steps_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/steps"
)

func TestNilIsRefusedByNameWhereAnErrorIsReturned(t *testing.T) {
	t.Parallel()
	ctx, b := t.Context(), newBench(t)
	trip := steps.Define[Trip]("trip").Step("hotel", nothing, nil)
	require.EqualError(t, trip.Serve(ctx, nil), "serve saga trip: the transport is nil")
	require.EqualError(t, trip.Serve(ctx, b.broker, steps.WithMiddleware(nil)), "saga trip: the middleware of WithMiddleware is nil")
	require.EqualError(t, trip.Attach(nil), "attach saga trip: the worker is nil")
	require.EqualError(t, trip.Attach(steps.NewWorker("trip", steps.Config{}), steps.WithMiddleware(nil)), "saga trip: the middleware of WithMiddleware is nil")
	require.EqualError(t, steps.NewWorker("trip", steps.Config{}).Run(ctx, nil), "run the worker of queue trip: the transport is nil")

	_, err := trip.Register(ctx, nil)
	require.EqualError(t, err, "the client is nil")
	require.EqualError(t, trip.Check(ctx, nil), "the client is nil")
	_, err = trip.Start(ctx, nil, Trip{})
	require.EqualError(t, err, "the client is nil")
	_, err = trip.Run(ctx, nil, Trip{})
	require.EqualError(t, err, "the client is nil")

	search := steps.Subscription{Name: "search"}
	inTx := func(context.Context, pgx.Tx, steps.Event) error { return nil }
	event := func(context.Context, steps.Event) error { return nil }
	require.EqualError(t, steps.Subscribe(ctx, nil, search, event), "subscription search: the transport is nil")
	require.EqualError(t, steps.Subscribe(ctx, b.broker, search, nil), "subscription search: the function of the subscription is nil")
	require.EqualError(t, steps.SubscribeTx(ctx, b.broker, nil, search, inTx), "subscription search: the barrier is nil")
	require.EqualError(t, steps.SubscribeTx(ctx, b.broker, steps.NewBarrier(nil), search, nil), "subscription search: the function of the subscription is nil")
}

func TestNilPanicsByNameWhereNoErrorIsReturned(t *testing.T) {
	t.Parallel()
	type none = steps.None
	w, barrier, sql := steps.NewWorker("payments", steps.Config{}), steps.NewBarrier(nil), steps.NewSQLBarrier(nil)
	inTx := func(context.Context, pgx.Tx, steps.Command[none]) (none, error) { return none{}, nil }
	inSQL := func(context.Context, steps.SQLTx, steps.Command[none]) (none, error) { return none{}, nil }
	for want, call := range map[string]func(){
		"the function is nil": func() { steps.Handle[none, none](w, "x", nil) },
		"the worker is nil": func() {
			steps.Handle(nil, "x", func(context.Context, steps.Command[none]) (none, error) { return none{}, nil })
		},
		"the barrier is nil":          func() { steps.HandleTx(w, nil, "x", inTx) },
		"the function is nil, in tx":  func() { steps.HandleTx[none, none](w, barrier, "x", nil) },
		"the worker is nil, in tx":    func() { steps.HandleTx(nil, barrier, "x", inTx) },
		"the barrier is nil, in SQL":  func() { steps.HandleSQL(w, nil, "x", inSQL) },
		"the function is nil, in SQL": func() { steps.HandleSQL[none, none](w, sql, "x", nil) },
	} {
		func() {
			defer func() {
				text, _ := recover().(string)
				assert.NotEmpty(t, text, want)
				assert.Contains(t, "steps: handler of x: "+want, text)
			}()
			call()
		}()
	}
}

func TestNilOptionsAreIgnored(t *testing.T) {
	t.Parallel()
	trip := steps.Define[Trip]("trip").Step("hotel", nothing, nil, nil)
	require.NoError(t, trip.Attach(steps.NewWorker("trip", steps.Config{}), nil))
	_, err := trip.Start(t.Context(), client.New(client.Config{Server: "http://127.0.0.1:1"}), Trip{}, nil)
	require.ErrorContains(t, err, "127.0.0.1:1", "nothing listens there")
}
