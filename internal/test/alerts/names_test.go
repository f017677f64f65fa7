package alerts_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

const operations = "../../../docs/operations.md"

// alert is a rule of alerts.yml.
type alert struct {
	Alert       string
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

func alerts(t *testing.T) (found []alert) {
	t.Helper()
	text, err := os.ReadFile(rulesFile)
	require.NoError(t, err)
	var file struct{ Groups []struct{ Rules []alert } }
	require.NoError(t, yaml.Unmarshal(text, &file))
	for _, group := range file.Groups {
		found = append(found, group.Rules...)
	}
	require.NotEmpty(t, found)
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func TestEachAlertIsExplainedAndFiresInATest(t *testing.T) {
	t.Parallel()
	page, tests := read(t, operations), read(t, "alerts_test.go")
	for _, rule := range alerts(t) {
		assert.Contains(t, []string{"warning", "critical"}, rule.Labels["severity"], rule.Alert)
		assert.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
		assert.NotEmpty(t, rule.Annotations["description"], rule.Alert)
		assert.True(t, strings.HasSuffix(rule.Annotations["runbook_url"], "/docs/operations.md#"+strings.ToLower(rule.Alert)), rule.Alert)
		assert.Contains(t, page, "\n### "+rule.Alert+"\n", "docs/operations.md")
		assert.Regexp(t, `\d+: \{[^}]*"`+rule.Alert+`"`, tests, "it fires in no test")
	}
}

// known returns the labels of each metric that a server shows after it has worked for a while.
func known(t *testing.T) map[string][]string {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(receiver.Close)
	config := settings()
	config.Demo = true
	s, _ := serving(t, config)
	create(t, http.MethodPut, s.URL()+"/v1/webhooks/pager", fmt.Sprintf(`{"url":%q,"events":["saga.started"]}`, receiver.URL))
	seen := until(t, s, map[string]func(float64) bool{
		"saga_finished_total": above(0), "saga_attention": above(0), "saga_queue_unhealthy": equal(0), "saga_queue_depth": above(-1),
		"saga_step_attempts_total": above(0), "saga_step_duration_seconds_count": above(0), "saga_webhook_deliveries_total": above(0),
		"saga_http_requests_total": above(0),
	})
	labels := make(map[string][]string)
	for series := range seen {
		name, text, _ := strings.Cut(series, "{")
		for _, label := range regexp.MustCompile(`(\w+)="`).FindAllStringSubmatch(text, -1) {
			if !slices.Contains(labels[name], label[1]) {
				labels[name] = append(labels[name], label[1])
			}
		}
	}
	return labels
}

// checkNames checks that the metrics and labels of an expression exist. It returns false if the expression names none.
func checkNames(t *testing.T, metrics map[string][]string, where, expr string) bool {
	t.Helper()
	used := regexp.MustCompile(`\b((?:saga|go|process)_\w+)(?:\{([^}]*)\})?`).FindAllStringSubmatch(expr, -1)
	var all []string
	for _, use := range used {
		labels, exists := metrics[use[1]]
		if !assert.True(t, exists, "%s: a server has no metric %s", where, use[1]) {
			continue
		}
		all = append(all, labels...)
		for _, label := range regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)`).FindAllStringSubmatch(use[2], -1) {
			assert.Contains(t, labels, label[1], "%s: label of %s", where, use[1])
		}
	}
	for _, grouped := range regexp.MustCompile(`\bby \(([^)]*)\)`).FindAllStringSubmatch(expr, -1) {
		for label := range strings.SplitSeq(grouped[1], ",") {
			assert.Contains(t, all, strings.TrimSpace(label), "%s: groups by it", where)
		}
	}
	return len(used) > 0
}

type dashboard struct {
	Panels []struct {
		Type, Title string
		Targets     []struct {
			Expr   string
			Legend string `json:"legendFormat"`
		}
	}
	Templating struct {
		List []struct{ Name, Definition string }
	}
}

func TestAlertsAndDashboardNameMetricsThatAServerHas(t *testing.T) {
	t.Parallel()
	metrics := known(t)
	for _, rule := range alerts(t) {
		assert.True(t, checkNames(t, metrics, rule.Alert, rule.Expr), rule.Alert)
	}
	var board dashboard
	require.NoError(t, json.Unmarshal([]byte(read(t, "../../../deploy/grafana/orchestrator.json")), &board))
	var rules []map[string]any
	for _, panel := range board.Panels {
		assert.Equal(t, panel.Type == "row", len(panel.Targets) == 0, panel.Title)
		for _, target := range panel.Targets {
			assert.True(t, checkNames(t, metrics, panel.Title, target.Expr), panel.Title)
			for _, shown := range regexp.MustCompile(`\{\{(\w+)\}\}`).FindAllStringSubmatch(target.Legend, -1) {
				if shown[1] != "instance" {
					assert.Regexp(t, `by \([^)]*\b`+shown[1]+`\b`, target.Expr, "%s: the legend shows a label that the expression drops", panel.Title)
				}
			}
			expr := strings.NewReplacer("$__rate_interval", "5m", "$definition", ".*").Replace(target.Expr)
			rules = append(rules, map[string]any{"record": fmt.Sprintf("panel:%d", len(rules)), "expr": expr})
		}
	}
	for _, variable := range board.Templating.List {
		if variable.Definition != "" {
			assert.True(t, checkNames(t, metrics, variable.Name, variable.Definition))
		}
	}
	text, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "panels", "rules": rules}}})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "panels.yml")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	promtool(t, "check", "rules", file)
}
