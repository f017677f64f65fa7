package loadtest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestAQuantileIsTheLatencyOfARealSaga(t *testing.T) {
	t.Parallel()
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(100 - i)
	}
	l := newLatencies(hundred)
	for share, want := range map[float64]time.Duration{0: 1, 0.001: 1, 0.5: 50, 0.505: 51, 0.95: 95, 0.99: 99, 0.991: 100, 1: 100} {
		assert.Equal(t, want, l.Quantile(share), "%g", share)
	}
	assert.Equal(t, time.Duration(100), hundred[0], "the argument is not sorted in place")
	assert.Equal(t, time.Duration(7), newLatencies([]time.Duration{7}).Quantile(0.99))
	assert.Zero(t, Latencies{}.Quantile(0.5), "no latencies")
}
