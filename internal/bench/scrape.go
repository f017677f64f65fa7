package bench

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
)

// Names of the orchestrator's metrics.
const (
	batches   = "saga_committed_batch_events"
	publishes = "saga_published_batch_commands"
	received  = "saga_messages_received_total"
)

// counters holds metrics by name, summed over all replicas and labels.
type counters map[string]float64

// scrape reads the metrics of every server.
func scrape(ctx context.Context, client *http.Client, servers []string) (counters, error) {
	all := make(counters)
	for _, server := range servers {
		if err := all.read(ctx, client, server+"/metrics"); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (c counters) read(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return fmt.Errorf("read metrics: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("read metrics: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("read metrics: %s answered %s", url, response.Status)
	}
	return c.parse(response.Body)
}

// parse adds lines such as `name{label="x"} 12`.
func (c counters) parse(text io.Reader) error {
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		name, value, found := strings.Cut(lines.Text(), " ")
		if !found || strings.HasPrefix(name, "#") {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue // a label with a space, which none of these metrics has
		}
		name, _, _ = strings.Cut(name, "{")
		c[name] += number
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read metrics: %w", err)
	}
	return nil
}

// describe adds the growth of the counters since before to the report.
func (c counters) describe(before counters, report *loadtest.Report) {
	grew := func(name string) float64 { return c[name] - before[name] }
	report.Batch = make(map[string]float64)
	for name, metric := range map[string]string{"events": batches, "commands": publishes} {
		if grew(metric+"_count") > 0 {
			report.Batch[name] = loadtest.Round(grew(metric+"_sum")/grew(metric+"_count"), 1)
		}
	}
	// Each message passes the broker once: the orchestrator either publishes it or receives it.
	if messages := grew(publishes+"_sum") + grew(received); report.Sagas > 0 && messages > 0 {
		report.Messages = loadtest.Figure(messages/float64(report.Sagas), 2)
	}
}
