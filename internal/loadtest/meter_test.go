package loadtest

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTheCPUTimeOfChildrenCountsWithTheirParent(t *testing.T) {
	t.Parallel()
	proc := fstest.MapFS{
		"10/stat": stat("10", "1", "postgres", "10", "0", "50", "0"),
		"11/stat": stat("11", "10", "backend", "20", "5", "0", "0"),
	}
	m := Meter{Processes: Processes{proc: proc}, Groups: []Group{{Name: "postgres", PIDs: []int{10}}}}
	require.NoError(t, m.Begin(t.Context()))
	// The backend used 0.10 s more and ended, so its time counts with its parent. Another backend has started and still runs.
	delete(proc, "11/stat")
	proc["10/stat"] = stat("10", "1", "postgres", "11", "0", "85", "0")
	proc["12/stat"] = stat("12", "10", "backend", "2", "1", "0", "0")
	usage, err := m.End(t.Context())
	require.NoError(t, err)
	assert.Equal(t, map[string]time.Duration{"postgres": 140 * time.Millisecond}, usage.CPU)
}

func TestAChildInAnotherGroupDoesNotCountWithItsParent(t *testing.T) {
	t.Parallel()
	proc := fstest.MapFS{
		"1/stat":   stat("1", "0", "init", "99", "0", "0", "0"),
		"10/stat":  stat("10", "1", "bench", "0", "0", "0", "0"),
		"11/stat":  stat("11", "10", "serve", "0", "0", "0", "0"),
		"12/stat":  stat("12", "10", "helper", "0", "0", "0", "0"),
		"11/other": {}, "11/status": {Data: []byte("VmHWM:\t1024 kB\n")}, "10/status": {Data: []byte("VmHWM:\t1024 kB\n")},
	}
	m := Meter{Processes: Processes{proc: proc}, Groups: []Group{
		{Name: "load", PIDs: []int{10}},
		{Name: "orchestrator", PIDs: []int{11}, Peak: true},
		{Name: "rabbitmq"},
		{Name: "worker", PIDs: []int{77}},
	}}
	require.NoError(t, m.Begin(t.Context()))
	proc["10/stat"] = stat("10", "1", "bench", "1", "0", "0", "0")
	proc["11/stat"] = stat("11", "10", "serve", "0", "3", "0", "0")
	proc["12/stat"] = stat("12", "10", "helper", "4", "0", "0", "0")
	usage, err := m.End(t.Context())
	require.NoError(t, err)
	assert.Equal(t, Usage{
		CPU:     map[string]time.Duration{"load": 50 * time.Millisecond, "orchestrator": 30 * time.Millisecond},
		Unknown: []string{"rabbitmq", "worker"},
		Peak:    map[string]int64{"orchestrator": 1 << 20},
	}, usage, "groups on other machines, or whose processes have ended, are absent and not zero")
}

func TestTheMeterReportsWhatPostgresWrote(t *testing.T) {
	t.Parallel()
	m := Meter{Processes: Processes{proc: fstest.MapFS{}}, Postgres: backend{row: []any{int64(1000), int64(50), int64(70)}}}
	require.NoError(t, m.Begin(t.Context()))
	m.Postgres = backend{row: []any{int64(4500), int64(57), int64(80)}}
	usage, err := m.End(t.Context())
	require.NoError(t, err)
	assert.Equal(t, &Written{WAL: 3500, Transactions: 7, Commits: 10}, usage.Postgres)

	m.Postgres = backend{err: assert.AnError}
	assert.ErrorIs(t, m.Begin(t.Context()), assert.AnError)
	_, err = m.End(t.Context())
	assert.ErrorIs(t, err, assert.AnError)
}
