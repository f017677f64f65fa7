package loadtest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// outcome is 200 sagas in two seconds.
func outcome() Outcome {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	return Outcome{
		Began: at, Ended: at.Add(2 * time.Second), Sagas: 200,
		Latencies: newLatencies([]time.Duration{time.Millisecond, 2 * time.Millisecond, 3500 * time.Microsecond}),
	}
}

func TestTheJSONNamesAreStable(t *testing.T) {
	t.Parallel()
	r := NewReport("orchestrator", "A", Load{InFlight: 16}, outcome(), Usage{
		CPU:      map[string]time.Duration{"orchestrator": 100 * time.Millisecond, "postgres": 50 * time.Millisecond},
		Peak:     map[string]int64{"orchestrator": 3 << 20},
		Postgres: &Written{WAL: 500_000, Transactions: 100, Commits: 150},
	})
	r.Messages, r.Batch = Figure(6, 2), map[string]float64{"events": 12.5}
	text, err := json.Marshal(r)
	require.NoError(t, err)
	assert.JSONEq(t, `{"name":"orchestrator","variant":"A","in_flight":16,"seconds":2,"sagas":200,"failed":0,"sagas_per_second":100,
		"latency_ms":{"p50":2,"p95":3.5,"p99":3.5,"max":3.5},
		"cpu_ms_per_saga":{"orchestrator":0.5,"postgres":0.25,"total":0.75},
		"wal_bytes_per_saga":2500,"write_transactions_per_saga":0.5,"commits_per_saga":0.75,"messages_per_saga":6,
		"batch":{"events":12.5},"peak_rss_mb":{"orchestrator":3}}`, string(text))
}

func TestUnknownFiguresAreAbsent(t *testing.T) {
	t.Parallel()
	r := NewReport("remote", "", Load{Rate: 50}, outcome(), Usage{
		CPU: map[string]time.Duration{"load": time.Second}, Unknown: []string{"orchestrator"},
	})
	text, err := json.Marshal(r)
	require.NoError(t, err)
	assert.JSONEq(t, `{"name":"remote","in_flight":500,"rate":50,"seconds":2,"sagas":200,"failed":0,"sagas_per_second":100,
		"latency_ms":{"p50":2,"p95":3.5,"p99":3.5,"max":3.5},"cpu_ms_per_saga":{"load":5}}`, string(text), "no total without the orchestrator's share")

	nothing := NewReport("x", "A", Load{}, Outcome{Failed: 3}, Usage{CPU: map[string]time.Duration{"load": time.Second}})
	text, err = json.Marshal(nothing)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "per_saga", "there is no saga to divide the costs by")
	assert.NotContains(t, string(text), "latency")
}

func TestTheReportAsText(t *testing.T) {
	t.Parallel()
	r := NewReport("orchestrator", "B", Load{Rate: 50}, outcome(), Usage{
		CPU:      map[string]time.Duration{"zebra": 100 * time.Millisecond, "load": 50 * time.Millisecond},
		Peak:     map[string]int64{"orchestrator": 3 << 20},
		Postgres: &Written{WAL: 500_000, Transactions: 100, Commits: 150},
	})
	r.Messages, r.Batch, r.Missed = Figure(6, 2), map[string]float64{"events": 12.5}, 4
	var text strings.Builder
	require.NoError(t, r.WriteText(&text))
	assert.Equal(t, strings.TrimLeft(`
load               orchestrator, B, open loop, 50 sagas/s
sagas              200 in 2.0 s, 0 failed
missed             4 should have begun and never did: too many were in flight
throughput         100.0 sagas/s
latency            p50 2.0  p95 3.5  p99 3.5  max 3.5 ms
CPU per saga       load 0.250  zebra 0.500  total 0.750 ms
Postgres per saga  2500 bytes of WAL, 0.50 write transactions, 0.75 commits
messages per saga  6.00
mean batch         events 12.5
peak memory        orchestrator 3 MB
`, "\n"), text.String())

	text.Reset()
	require.NoError(t, Report{Name: "x", InFlight: 2}.WriteText(&text))
	assert.NotContains(t, text.String(), "per saga")
}
