package alerts_test

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/saga-orchestrator/orchestrator/server"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience limits each wait.
const patience = time.Minute

// serving runs a server until end is called or the test ends.
func serving(t *testing.T, config server.Config) (s *server.Server, end func()) {
	t.Helper()
	config.Listen, config.Auth = "127.0.0.1:0", "none"
	s, err := server.Open(t.Context(), config)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { assert.NoError(t, s.Run(ctx)) })
	end = func() { cancel(); running.Wait() }
	t.Cleanup(func() { end(); http.DefaultClient.CloseIdleConnections() })
	return s, end
}

func request(t *testing.T, method, url, body string, key ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/json")
	r.Header["Idempotency-Key"] = key
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, string(content)
}

// create makes a request that creates something. A busy machine may answer 503: the key makes the repetitions one request.
func create(t *testing.T, method, url, body string) {
	t.Helper()
	key := rand.Text()
	require.Eventually(t, func() bool {
		status, answer := request(t, method, url, body, key)
		require.Contains(t, []int{http.StatusCreated, http.StatusOK, http.StatusServiceUnavailable}, status, answer)
		return status != http.StatusServiceUnavailable
	}, patience, 100*time.Millisecond)
}

// scrape is a scrape of /metrics: series in Prometheus's notation, with the label instance that a scrape adds.
type scrape map[string]float64

func scraped(t *testing.T, s *server.Server) scrape {
	t.Helper()
	_, text := request(t, http.MethodGet, s.URL()+"/metrics", "")
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	require.NoError(t, err)
	found := make(scrape)
	for name, family := range families {
		for _, metric := range family.GetMetric() {
			found.add(name, metric)
		}
	}
	return found
}

func (s scrape) add(name string, metric *dto.Metric) {
	labels := `instance="a",job="orchestrator"`
	for _, label := range metric.GetLabel() {
		labels += "," + label.GetName() + "=" + strconv.Quote(label.GetValue())
	}
	set := func(name, more string, value float64) { s[name+"{"+labels+more+"}"] = value }
	switch {
	case metric.GetHistogram() != nil:
		histogram := metric.GetHistogram()
		for _, bucket := range histogram.GetBucket() {
			le := "+Inf"
			if bound := bucket.GetUpperBound(); bound < 1e300 {
				le = strconv.FormatFloat(bound, 'g', -1, 64)
			}
			set(name+"_bucket", `,le="`+le+`"`, float64(bucket.GetCumulativeCount()))
		}
		set(name+"_bucket", `,le="+Inf"`, float64(histogram.GetSampleCount()))
		set(name+"_sum", "", histogram.GetSampleSum())
		set(name+"_count", "", float64(histogram.GetSampleCount()))
	case metric.GetGauge() != nil:
		set(name, "", metric.GetGauge().GetValue())
	case metric.GetCounter() != nil:
		set(name, "", metric.GetCounter().GetValue())
	}
}

// until scrapes until every series, given by its name and a part of its labels, has a value that holds.
func until(t *testing.T, s *server.Server, wanted map[string]func(float64) bool) (found scrape) {
	t.Helper()
	var missing string
	met := func() bool {
		found = scraped(t, s)
		for part, holds := range wanted {
			if !found.some(part, holds) {
				missing = part
				return false
			}
		}
		return true
	}
	require.Eventually(t, met, patience, 100*time.Millisecond, "the last series that was missing: %s", &missing)
	return found
}

// some reports whether a series has a value that holds. part is a name, or a name and a label: name{label="value"}.
func (s scrape) some(part string, holds func(float64) bool) bool {
	for series, value := range s {
		if isOf(series, part) && holds(value) {
			return true
		}
	}
	return false
}

func (s scrape) total(part string) (sum float64) {
	for series, value := range s {
		if isOf(series, part) {
			sum += value
		}
	}
	return sum
}

func isOf(series, part string) bool {
	name, label, _ := strings.Cut(strings.TrimSuffix(part, "}"), "{")
	return strings.HasPrefix(series, name+"{") && strings.Contains(series, label)
}

func above(limit float64) func(float64) bool {
	return func(value float64) bool { return value > limit }
}

func equal(wanted float64) func(float64) bool {
	return func(value float64) bool { return value == wanted }
}
