// Program worker is the services of the chaos suite: a worker for each queue, with the barrier, on their own database.
// It follows each saga's script and records every effect in a ledger that would show a repeated one.
//
// Settings: DATABASE_URL (the services'), AMQP_URL, AMQP_PREFIX, CHAOS_DUPLICATES (the share of commands and replies
// that are delivered twice), CHAOS_IGNORE_DEADLINE (handle commands whose deadline has passed).
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/saga-orchestrator/orchestrator/internal/test/chaos"
	"github.com/saga-orchestrator/orchestrator/steps"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	settings, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		return fmt.Errorf("read DATABASE_URL: %w", err)
	}
	settings.MaxConns = 30
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return fmt.Errorf("open the services' database: %w", err)
	}
	defer pool.Close()
	s := services{pool: pool, barrier: steps.NewBarrier(pool)}
	if err := s.install(ctx); err != nil {
		return err
	}
	share, _ := strconv.ParseFloat(os.Getenv("CHAOS_DUPLICATES"), 64) // 0 if unset
	url, log := os.Getenv("AMQP_URL"), slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	transport := &unruly{
		Transport: steps.AMQP(steps.AMQPConfig{URL: url, Prefix: os.Getenv("AMQP_PREFIX"), Logger: log}), notes: s,
		sender: &sender{url: url}, duplicates: share,
	}
	config := steps.Config{Concurrency: 16, IgnoreDeadline: os.Getenv("CHAOS_IGNORE_DEADLINE") != "", Logger: log}
	var working sync.WaitGroup
	for _, queue := range chaos.Queues() {
		worker := steps.NewWorker(queue, config)
		steps.HandleTx(worker, s.barrier, queue+".do", s.work)
		steps.HandleTx(worker, s.barrier, queue+".compensate", s.work)
		working.Go(func() {
			if err := worker.Run(ctx, transport); err != nil {
				fmt.Fprintln(os.Stderr, queue, err)
			}
		})
	}
	working.Wait()
	return nil
}
