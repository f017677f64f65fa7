package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// followHangups switches the level of the log between the configured one and debug with each SIGHUP, until stop is called.
func followHangups(ctx context.Context, level *slog.LevelVar, log *slog.Logger) (stop func()) {
	configured := level.Level()
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(ctx)
	var following sync.WaitGroup
	following.Go(func() {
		for {
			select {
			case <-hangups:
				next := slog.LevelDebug
				if level.Level() == slog.LevelDebug {
					next = configured
				}
				level.Set(next)
				log.Warn("SIGHUP: the level of the log has changed", "log_level", next.String())
			case <-ctx.Done():
				return
			}
		}
	})
	return func() { signal.Stop(hangups); cancel(); following.Wait() }
}
