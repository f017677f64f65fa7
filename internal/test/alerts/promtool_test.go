package alerts_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	rulesFile = "../../../deploy/prometheus/alerts.yml"
	before    = 90 // minutes in which the series go from the first scrape to the second
	after     = 90 // minutes in which they stay at the third
)

// promtool runs the tool of Prometheus.
func promtool(t *testing.T, arguments ...string) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	require.NoError(t, err, "promtool is not installed: run `make test`, or apt install prometheus")
	output, err := exec.CommandContext(t.Context(), path, arguments...).CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// timeline is what Prometheus saw: a server that worked, and what came of it. Nil afterwards: nothing was scraped any more.
type timeline struct{ first, second, third scrape }

// firing says which alerts fire at a minute.
type firing map[int][]string

// evaluated lets promtool evaluate the rules. JSON is YAML.
func evaluated(t *testing.T, seen timeline, expected firing) {
	t.Helper()
	type sample struct {
		Labels string  `json:"labels"`
		Value  float64 `json:"value"`
	}
	type expression struct {
		Expr    string   `json:"expr"`
		At      string   `json:"eval_time"`
		Samples []sample `json:"exp_samples"`
	}
	type series struct {
		Series string `json:"series"`
		Values string `json:"values"`
	}
	var input []series
	all := make(map[string]bool)
	for _, one := range []scrape{seen.first, seen.second, seen.third} {
		for name := range one {
			all[name] = strings.HasPrefix(name, "saga_")
		}
	}
	for name, ours := range all {
		if ours {
			input = append(input, series{name, seen.values(name)})
		}
	}
	never := expression{Expr: `count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[` + strconv.Itoa(before) + `m]))`, At: strconv.Itoa(before-1) + "m"}
	checks := []expression{never}
	for minute, alerts := range expected {
		for _, alert := range alerts {
			checks = append(checks, expression{
				Expr: fmt.Sprintf(`group by (alertname) (ALERTS{alertstate="firing",alertname=%q})`, alert), At: strconv.Itoa(before+minute) + "m",
				Samples: []sample{{fmt.Sprintf(`{alertname=%q}`, alert), 1}},
			})
		}
	}
	rules, err := filepath.Abs(rulesFile)
	require.NoError(t, err)
	text, err := json.MarshalIndent(map[string]any{
		"rule_files": []string{rules}, "evaluation_interval": "1m",
		"tests": []any{map[string]any{"interval": "1m", "input_series": input, "promql_expr_test": checks}},
	}, "", " ")
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "test.yml")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	promtool(t, "test", "rules", file)
}

// values returns the samples of a series, one a minute.
func (s timeline) values(name string) string {
	number := func(value float64) string { return strconv.FormatFloat(value, 'f', -1, 64) }
	first, hadFirst := s.first[name]
	second, hadSecond := s.second[name]
	third, hasThird := s.third[name]
	early, late := fmt.Sprintf("_x%d", before), fmt.Sprintf("_x%d", after)
	switch {
	case hadFirst && hadSecond:
		step := (second - first) / (before - 1)
		sign := "+"
		if step < 0 {
			sign = "-"
		}
		early = fmt.Sprintf("%s%s%sx%d", number(first), sign, number(math.Abs(step)), before-1)
	case hadSecond:
		early = fmt.Sprintf("_x%d %s", before-1, number(second))
	}
	if hasThird {
		late = fmt.Sprintf("%s+0x%d", number(third), after-1)
	}
	return early + " " + late
}

func TestTheRulesAreValid(t *testing.T) {
	t.Parallel()
	promtool(t, "check", "rules", rulesFile)
}
