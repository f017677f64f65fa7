package bench

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
)

const exposition = `# HELP saga_messages_received_total Messages taken.
# TYPE saga_messages_received_total counter
saga_messages_received_total{queue="dead"} 1
saga_messages_received_total{queue="replies"} 29
saga_published_batch_commands_bucket{le="1"} 2
saga_published_batch_commands_sum 30
saga_published_batch_commands_count 4
saga_committed_batch_events_sum 1e+02
saga_committed_batch_events_count 8
`

func TestTheReportHasTheMessagesAndBatchesOfTheWindow(t *testing.T) {
	t.Parallel()
	before, after := make(counters), make(counters)
	require.NoError(t, before.parse(strings.NewReader("saga_committed_batch_events_sum 20\nsaga_committed_batch_events_count 4\n")))
	require.NoError(t, after.parse(strings.NewReader(exposition)))
	report := loadtest.Report{Sagas: 10}
	after.describe(before, &report)
	assert.Equal(t, map[string]float64{"events": 20, "commands": 7.5}, report.Batch)
	assert.Equal(t, loadtest.Figure(6, 2), report.Messages)
}

func TestFiguresAreAbsentWithoutMetrics(t *testing.T) {
	t.Parallel()
	report := loadtest.Report{Sagas: 10}
	make(counters).describe(make(counters), &report)
	assert.Empty(t, report.Batch)
	assert.Nil(t, report.Messages)
}

func TestTheMetricsOfReplicasAreAdded(t *testing.T) {
	t.Parallel()
	first, _ := answering(t, http.StatusOK, exposition)
	second, _ := answering(t, http.StatusOK, exposition)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	all, err := scrape(t.Context(), client, []string{first, second})
	require.NoError(t, err)
	assert.InDelta(t, 60, all[received], 0)
	broken, _ := answering(t, http.StatusNotFound, "")
	_, err = scrape(t.Context(), client, []string{first, broken})
	assert.ErrorContains(t, err, "404")
}
