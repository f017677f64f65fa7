package scaling

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/saga-orchestrator/orchestrator/bench/compare"
)

// write writes a chart of every series, and one page with all tables.
func write(folder string, results map[string]Result) error {
	page := &strings.Builder{}
	page.WriteString("# Scaling\n\n<!-- Written by `make growth`; the points are in points.json. -->\n")
	for _, s := range all() {
		result, measured := results[s.name]
		if !measured {
			continue
		}
		fmt.Fprintf(page, "\n## %s\n\n%s\n\n", s.title, s.about)
		if len(s.panels) > 0 {
			if err := writeFile(folder, s.name+".svg", chart(s, result.Points)); err != nil {
				return err
			}
			fmt.Fprintf(page, "![%s](%s.svg)\n\n", s.title, s.name)
		}
		compare.WriteTable(page, rows(s, result.Points))
		for _, v := range s.verdicts(result.Points) {
			fmt.Fprintf(page, "\n- %s", v)
		}
		for _, note := range result.Notes {
			fmt.Fprintf(page, "\n- %s", note)
		}
		fmt.Fprintf(page, "\n\n%s.\n", result.Machine)
	}
	return writeFile(folder, "README.md", page.String())
}

func writeFile(folder, name, content string) error {
	if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o644); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

// mostRows is the approximate number of rows in the table of a continuous series. The chart shows all points.
const mostRows = 15

// rows returns the header of a table and a row per point.
func rows(s series, points []Point) [][]string {
	head := []string{s.across}
	for _, column := range s.columns {
		head = append(head, column.name)
	}
	table := [][]string{head}
	for i, p := range points {
		if every := 1 + len(points)/mostRows; s.continuous && i%every != 0 && i != len(points)-1 {
			continue
		}
		row := []string{p.Label}
		for _, column := range s.columns {
			row = append(row, p.Figures[column.name].Show(column.format))
		}
		table = append(table, row)
	}
	return table
}
