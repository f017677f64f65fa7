package compare

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
)

// WriteMarkdown writes the tables, one per cell. Their columns are aligned, so that a terminal shows them well, too.
func (r Result) WriteMarkdown(out io.Writer) error {
	text := &strings.Builder{}
	fmt.Fprintf(text, "%s.\n\nRounds: %d, of %s each after %s of warm-up. Medians; in parentheses the least and the most.\n",
		r.Machine, r.Plan.Rounds, r.Plan.Duration, r.Plan.Warmup)
	for _, cell := range r.Plan.cells() {
		fmt.Fprintf(text, "\n**%s**\n\n", cell)
		WriteTable(text, r.rows(cell))
	}
	if _, err := io.WriteString(out, text.String()); err != nil {
		return fmt.Errorf("write the table: %w", err)
	}
	return nil
}

// rows returns the header and a row for every system.
func (r Result) rows(cell Cell) [][]string {
	processes := r.processes(cell)
	head := []string{"", "sagas/s", "of the roofline", "ours ÷ it", "p50 ms", "p99 ms", "CPU ms/saga"}
	head = append(head, processes...)
	head = append(head, "WAL B/saga", "write tx/saga", "commits/saga")
	rows := [][]string{head}
	for _, name := range r.Plan.systemsOf(cell) {
		rows = append(rows, r.row(cell, name, processes))
	}
	return rows
}

func (r Result) row(cell Cell, name string, processes []string) []string {
	rate := func(report loadtest.Report) *float64 { return &report.SagasPerSecond }
	latency := func(read func(loadtest.Percentiles) float64) string {
		return r.figure(cell, name, func(report loadtest.Report) *float64 {
			if report.Latency == nil {
				return nil
			}
			value := read(*report.Latency)
			return &value
		}).middle("%.1f")
	}
	cpu := func(process string) string {
		return r.figure(cell, name, func(report loadtest.Report) *float64 {
			if value, known := report.CPU[process]; known {
				return &value
			}
			return nil
		}).middle("%.2f")
	}
	label := name
	if n := r.faults(cell, name); n > 0 {
		label = fmt.Sprintf("%s (runs FAILED: %d)", name, n)
	}
	row := []string{
		label,
		r.figure(cell, name, rate).Show("%.0f"),
		r.ratio(cell, name, Roofline).Show("%.2f"),
		r.ratio(cell, Ours, name).Show("%.2f"),
		latency(func(p loadtest.Percentiles) float64 { return p.P50 }),
		latency(func(p loadtest.Percentiles) float64 { return p.P99 }),
		cpu(loadtest.Total),
	}
	for _, process := range processes {
		row = append(row, cpu(process))
	}
	return append(row,
		r.figure(cell, name, func(m loadtest.Report) *float64 { return m.WALBytes }).middle("%.0f"),
		r.figure(cell, name, func(m loadtest.Report) *float64 { return m.WriteTransactions }).middle("%.1f"),
		r.figure(cell, name, func(m loadtest.Report) *float64 { return m.Commits }).middle("%.1f"),
	)
}

// WriteTable writes a Markdown table with aligned columns. The first row is the header; all rows must have its length.
func WriteTable(out *strings.Builder, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for n, row := range rows {
		for i, cell := range row {
			out.WriteString("| " + cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)) + " ")
		}
		out.WriteString("|\n")
		if n == 0 {
			out.WriteString("|" + strings.Repeat("---|", len(row)) + "\n")
		}
	}
}
