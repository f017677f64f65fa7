package store_test

import (
	"fmt"
	"testing"

	"github.com/saga-orchestrator/orchestrator/store"
	"github.com/saga-orchestrator/orchestrator/store/storetest"
)

// BenchmarkTransact runs sagas of three steps to completion, in four batches each: a start and three replies.
func BenchmarkTransact(b *testing.B) {
	for _, size := range []int{1, 64, 256} {
		b.Run(fmt.Sprintf("sagas=%d", size), func(b *testing.B) {
			w := storetest.NewFixture(b, open(b, store.Config{DatabaseURL: migrated(b)}))
			n := 0
			for b.Loop() {
				ids := startMany(b, w, size, false)
				for _, step := range []string{"reserve", "charge", "confirm"} {
					succeedMany(b, w, ids, step)
				}
				n++
			}
			perBatch := float64(b.Elapsed().Microseconds()) / float64(4*n)
			b.ReportMetric(perBatch, "µs/batch")
			b.ReportMetric(4*perBatch/float64(size), "µs/saga")
			b.ReportMetric(0, "ns/op")
		})
	}
}
