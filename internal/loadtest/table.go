package loadtest

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
)

// WriteText writes the report as an aligned table.
func (r Report) WriteText(out io.Writer) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name, format string, values ...any) {
		fmt.Fprintf(table, "%s\t%s\n", name, fmt.Sprintf(format, values...))
	}
	loop := fmt.Sprintf("closed loop, %d in flight", r.InFlight)
	if r.Rate > 0 {
		loop = fmt.Sprintf("open loop, %g sagas/s", r.Rate)
	}
	row("load", "%s", strings.Join(slices.DeleteFunc([]string{r.Name, r.Variant, loop}, func(s string) bool { return s == "" }), ", "))
	row("sagas", "%d in %.1f s, %d failed", r.Sagas, r.Seconds, r.Failed)
	if r.Missed > 0 {
		row("missed", "%d should have begun and never did: too many were in flight", r.Missed)
	}
	row("throughput", "%.1f sagas/s", r.SagasPerSecond)
	if l := r.Latency; l != nil {
		row("latency", "p50 %.1f  p95 %.1f  p99 %.1f  max %.1f ms", l.P50, l.P95, l.P99, l.Max)
	}
	if len(r.CPU) > 0 {
		row("CPU per saga", "%s ms", each(r.CPU, "%.3f"))
	}
	if r.WALBytes != nil {
		row("Postgres per saga", "%.0f bytes of WAL, %.2f write transactions, %.2f commits", *r.WALBytes, *r.WriteTransactions, *r.Commits)
	}
	if r.Messages != nil {
		row("messages per saga", "%.2f", *r.Messages)
	}
	if len(r.Batch) > 0 {
		row("mean batch", "%s", each(r.Batch, "%.1f"))
	}
	if len(r.PeakRSS) > 0 {
		row("peak memory", "%s MB", each(r.PeakRSS, "%.0f"))
	}
	return table.Flush()
}

// each formats figures by name, the total last.
func each(figures map[string]float64, format string) string {
	names := slices.Sorted(maps.Keys(figures))
	if i := slices.Index(names, Total); i >= 0 {
		names = append(slices.Delete(names, i, i+1), Total)
	}
	shown := make([]string, len(names))
	for i, name := range names {
		shown[i] = name + " " + fmt.Sprintf(format, figures[name])
	}
	return strings.Join(shown, "  ")
}
