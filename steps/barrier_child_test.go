package steps_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
	"github.com/saga-orchestrator/orchestrator/steps/local"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// The environment of a child: a worker process that can be killed at any point of its conversation with the database.
const (
	childDatabase = "STEPS_TEST_DATABASE"
	childScript   = "STEPS_TEST_SCRIPT"  // groups of commands, as "execute/1+execute/1 compensate/1"; a group is sent at once
	childKillAt   = "STEPS_TEST_KILL_AT" // the number of the moment at which to die; 0: never
)

// killer counts moments and kills its own process at one of them, as a power loss would.
type killer struct {
	armed  atomic.Bool
	moment atomic.Int64
	at     int64
}

func (k *killer) pass() {
	if k.armed.Load() && k.moment.Add(1) == k.at {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

// mortalConn can die before a write to the database, right after it, and after a read. Between the second and the
// third, the database does what the process never learns.
type mortalConn struct {
	net.Conn
	killer *killer
}

func (c *mortalConn) Write(content []byte) (int, error) {
	c.killer.pass()
	n, err := c.Conn.Write(content)
	c.killer.pass()
	return n, err
}

func (c *mortalConn) Read(buffer []byte) (int, error) {
	n, err := c.Conn.Read(buffer)
	if err == nil {
		c.killer.pass()
	}
	return n, err
}

// runChild is a child's main function. It prints each group's replies.
func runChild() int {
	at, err := strconv.ParseInt(os.Getenv(childKillAt), 10, 64)
	if err != nil {
		return fail(err)
	}
	k := &killer{at: at}
	config, err := pgxpool.ParseConfig(os.Getenv(childDatabase))
	if err != nil {
		return fail(err)
	}
	dialer := &net.Dialer{}
	config.ConnConfig.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		return &mortalConn{conn, k}, err
	}
	ctx := context.Background()
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return fail(err)
	}
	defer pool.Close()
	if err := pool.Ping(ctx); err != nil {
		return fail(err)
	}
	k.armed.Store(true)
	return childWork(ctx, pool)
}

func childWork(ctx context.Context, pool *pgxpool.Pool) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	broker := local.New()
	if err := broker.DeclareQueues(ctx, []string{"payments"}); err != nil {
		return fail(err)
	}
	w := steps.NewWorker("payments", steps.Config{Logger: slog.New(slog.DiscardHandler)})
	barrier := steps.NewBarrier(pool)
	steps.HandleTx(w, barrier, "payments.charge", func(ctx context.Context, tx pgx.Tx, cmd steps.Command[chargeInput]) (chargeOutput, error) {
		return chargeOutput{ChargeID: "c-7"}, effect(ctx, tx, "charge", cmd.Attempt)
	})
	steps.HandleTx(w, barrier, "payments.refund", func(ctx context.Context, tx pgx.Tx, cmd steps.Command[chargeInput]) (steps.None, error) {
		return steps.None{}, effect(ctx, tx, "refund", cmd.Attempt)
	})
	go func() { _ = w.Run(ctx, broker) }()
	replies := make(chan wire.Message, 100)
	go broker.ConsumeReplies(ctx, func(m wire.Message, settle func(bool)) {
		settle(true)
		replies <- m
	})
	for group := range strings.SplitSeq(os.Getenv(childScript), " ") {
		var commands []wire.Command
		for id := range strings.SplitSeq(group, "+") {
			parsed, err := saga.ParseCommandID("saga-1/charge/" + id)
			if err != nil {
				return fail(err)
			}
			c := command(parsed.Direction, parsed.Attempt)
			c.ID = parsed
			commands = append(commands, c)
		}
		broker.Publish(ctx, commands, func(int, wire.Receipt) {})
		for range commands {
			m := <-replies
			fmt.Printf("%s %s\n", m.CorrelationID, m.Body)
		}
	}
	return 0
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}
