package workercheck_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/workercheck"
	"github.com/saga-orchestrator/orchestrator/steps"
)

func TestAWorkerBehindTheBarrierPassesEveryPointAndKeepsNoEffect(t *testing.T) {
	t.Parallel()
	o := broker(t)
	pool, err := pgxpool.New(t.Context(), env.Database(t))
	require.NoError(t, err)
	defer pool.Close()
	barrier := steps.NewBarrier(pool)
	require.NoError(t, barrier.Install(t.Context()))
	_, err = pool.Exec(t.Context(), "CREATE TABLE charges (key text PRIMARY KEY, id bigint GENERATED ALWAYS AS IDENTITY)")
	require.NoError(t, err)
	w := steps.NewWorker("payments", steps.Config{})
	steps.HandleTx(w, barrier, "payments.charge", func(ctx context.Context, tx pgx.Tx, cmd steps.Command[any]) (map[string]int64, error) {
		var id int64
		err := tx.QueryRow(ctx, "INSERT INTO charges (key) VALUES ($1) RETURNING id", cmd.IdempotencyKey).Scan(&id)
		return map[string]int64{"chargeId": id}, err
	})
	steps.HandleTx(w, barrier, "payments.refund", func(ctx context.Context, tx pgx.Tx, cmd steps.Command[any]) (steps.None, error) {
		_, err := tx.Exec(ctx, "DELETE FROM charges WHERE key = $1", cmd.SagaID+"/"+cmd.Step+"/execute")
		return steps.None{}, err
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx, steps.AMQP(steps.AMQPConfig{URL: o.URL, Prefix: o.Prefix})) }()
	o.Timeout = 20 * time.Second
	report, err := workercheck.Run(t.Context(), o)
	require.NoError(t, err)
	for point, grade := range grades(t, report) {
		assert.Equal(t, workercheck.Pass, grade, point)
	}
	assert.Len(t, report.Verdicts, 11)
	var left int
	require.NoError(t, pool.QueryRow(t.Context(), "SELECT count(*) FROM charges").Scan(&left))
	assert.Zero(t, left, "the check compensates what it has made the worker do")
	cancel()
	require.NoError(t, <-done)
}

// Each wrong worker fails at the point of its flaw, and at no other that the flaw does not explain.
func TestAWrongWorkerFailsAtItsFlaw(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		flaws flaws
		fails []string
		warns []string
	}{
		"none":                              {flaws{}, nil, nil},
		"no reply":                          {flaws{silent: true}, []string{"replies"}, []string{"clean-up"}},
		"another correlation id":            {flaws{correlation: true}, []string{"replies"}, []string{"clean-up"}},
		"an unknown status":                 {flaws{body: true}, []string{"replies"}, []string{"clean-up"}},
		"each delivery is new":              {flaws{repeats: true}, []string{"duplicate", "another attempt", "two at once"}, nil},
		"keyed by message id":               {flaws{byMessage: true}, []string{"another attempt", "compensation first", "two at once"}, []string{"clean-up"}},
		"forgets what it compensates":       {flaws{forgets: true}, []string{"late redelivery"}, []string{"clean-up"}},
		"an effect after its compensation":  {flaws{tombstones: true}, []string{"compensation first"}, []string{"clean-up"}},
		"no compensation without an effect": {flaws{refusesEmpty: true}, []string{"compensation first"}, []string{"clean-up"}},
		"dies of a stale deadline":          {flaws{stale: true}, []string{"stale deadline"}, []string{"clean-up"}},
		"requeues poison":                   {flaws{requeues: true}, []string{"poison"}, nil},
		"does not lock":                     {flaws{races: true}, []string{"two at once"}, nil},
		"replies that a restart loses":      {flaws{transient: true}, nil, []string{"properties of the reply"}},
		"acknowledges too early":            {flaws{early: true}, nil, []string{"reply before acknowledgement"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := broker(t)
			start(t, o, test.flaws)
			report, err := workercheck.Run(t.Context(), o)
			require.NoError(t, err)
			var fails, warns []string
			for point, grade := range grades(t, report) {
				switch grade {
				case workercheck.Fail:
					fails = append(fails, point)
				case workercheck.Warn:
					warns = append(warns, point)
				default:
				}
			}
			assert.ElementsMatch(t, test.fails, fails)
			assert.ElementsMatch(t, test.warns, warns)
		})
	}
}

func TestACheckNeedsAQueueAndAWorker(t *testing.T) {
	t.Parallel()
	o := broker(t)
	o.Timeout = 100 * time.Millisecond
	report, err := workercheck.Run(t.Context(), o)
	require.NoError(t, err)
	assert.Equal(t, workercheck.Fail, grades(t, report)["replies"], "nothing consumes the queue")
	conn, err := amqp.Dial(o.URL)
	require.NoError(t, err)
	defer conn.Close()
	channel, err := conn.Channel()
	require.NoError(t, err)
	_, found, err := channel.Get(o.Prefix+".commands.payments", true)
	require.NoError(t, err)
	assert.False(t, found, "a check without a worker leaves no command behind")
	o.Queue = "other"
	_, err = workercheck.Run(t.Context(), o)
	require.ErrorContains(t, err, "no queue")
	require.ErrorContains(t, err, "register a definition")
	o.URL = "amqp://guest:guest@127.0.0.1:1/"
	_, err = workercheck.Run(t.Context(), o)
	require.ErrorContains(t, err, "connect to RabbitMQ")
	require.NotContains(t, err.Error(), "guest:guest")
}

func TestOptionsThatCannotBeRightAreRefused(t *testing.T) {
	t.Parallel()
	right := workercheck.Options{Queue: "q", Command: "c", Data: []byte("{}"), Timeout: time.Second}
	require.NoError(t, right.Validate())
	for says, spoil := range map[string]func(*workercheck.Options){
		"queue":                       func(o *workercheck.Options) { o.Queue = "" },
		"timeout: 0s, want":           func(o *workercheck.Options) { o.Timeout = 0 },
		"at most 10m0s":               func(o *workercheck.Options) { o.Timeout = time.Hour },
		"data: want a JSON object":    func(o *workercheck.Options) { o.Data = []byte("[]") },
		"data: ":                      func(o *workercheck.Options) { o.Data = []byte(`{"a":1,"a":2}`) },
		"queue and command: must not": func(o *workercheck.Options) { o.Command = "" },
	} {
		o := right
		spoil(&o)
		require.ErrorContains(t, o.Validate(), says)
	}
}
