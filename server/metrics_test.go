package server_test

import (
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/server"
)

// The metrics that docs/metrics.md lists come from a server that has run the demo for a while.
func TestTheMetricsCountSagasStepsAndQueues(t *testing.T) {
	t.Parallel()
	s, end := serving(t, server.Config{Listen: "127.0.0.1:0", Auth: "none", Demo: true})
	defer end()
	wanted := []string{
		`saga_started_total{definition="order"}`,
		`saga_finished_total{definition="order",status="completed"}`,
		`saga_duration_seconds_count{definition="order",status="completed"}`,
		`saga_step_attempts_total{action="execute",definition="order",outcome="succeeded",step="reserve-inventory"}`,
		`saga_step_attempts_total{action="execute",definition="order",outcome="failed",step="send-receipt"}`,
		`saga_step_attempts_total{action="execute",definition="order",outcome="lost",step="confirm-order"}`,
		`saga_step_attempts_total{action="compensate",definition="order",outcome="failed",step="charge-payment"}`,
		`saga_step_duration_seconds_count{action="execute",definition="order",step="reserve-inventory"}`,
		`saga_timer_lateness_seconds_count`,
		`saga_sagas{definition="order",status="stuck"}`,
		`saga_attention{definition="order",reason="retries_exhausted"}`,
		`saga_queue_depth{queue="payments"}`,
		`saga_queue_consumers{queue="payments"}`,
		`saga_queue_commands_out{queue="payments"}`,
	}
	var scraped string
	require.Eventually(t, func() bool {
		_, scraped = request(t, http.MethodGet, s.URL()+"/metrics", "")
		for _, series := range wanted {
			if !strings.Contains(scraped, "\n"+series+" ") {
				return false
			}
		}
		return true
	}, time.Minute, 100*time.Millisecond, "%s", missing(&scraped, wanted))
	page, err := os.ReadFile("../docs/metrics.md")
	require.NoError(t, err)
	for _, family := range regexp.MustCompile(`(?m)^# TYPE (saga_\w+) `).FindAllStringSubmatch(scraped, -1) {
		assert.Contains(t, string(page), "`"+family[1]+"`", "docs/metrics.md")
	}
	assert.NotContains(t, scraped, "saga_id", "an id of a saga would be a series without end")
}

// missing returns a value that is formatted only when the test has failed.
func missing(scraped *string, wanted []string) lazily {
	return func() (without string) {
		for _, series := range wanted {
			if !strings.Contains(*scraped, "\n"+series+" ") {
				without += series + "\n"
			}
		}
		return without
	}
}

type lazily func() string

func (l lazily) String() string { return l() }
