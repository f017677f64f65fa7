package rabbit_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/rabbit"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// BenchmarkPublishAndConsume publishes batches from two goroutines, as the relay does, and consumes them concurrently.
func BenchmarkPublishAndConsume(b *testing.B) {
	url, prefix := env.Broker(b, "payments")
	broker := rabbit.Connect(rabbit.Config{URL: url, Prefix: prefix, Logger: slog.New(slog.DiscardHandler)})
	defer broker.Close(context.Background())
	require.Eventually(b, func() bool { return broker.Ready() == nil }, patience, time.Millisecond)
	require.NoError(b, broker.DeclareQueues(b.Context(), []string{"payments"}))
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var work sync.WaitGroup
	defer work.Wait()
	defer cancel()
	var consumed atomic.Int64
	all := make(chan struct{})
	want := int64(b.N * 512)
	work.Go(func() {
		broker.Consume(ctx, prefix+".commands.payments", 500, func(_ wire.Message, settle func(bool)) {
			settle(true)
			if consumed.Add(1) == want {
				close(all)
			}
		})
	})
	batch := commands("payments", 256)
	b.ResetTimer()
	begun := time.Now()
	var publishing sync.WaitGroup
	for range 2 {
		publishing.Go(func() {
			for range b.N {
				for _, receipt := range publishWithin(ctx, broker, batch) {
					if receipt.Outcome != wire.Confirmed {
						b.Error(receipt.Reason)
					}
				}
			}
		})
	}
	<-all
	publishing.Wait() // a message may be consumed before its confirm
	b.ReportMetric(float64(want)/time.Since(begun).Seconds(), "messages/s")
}
