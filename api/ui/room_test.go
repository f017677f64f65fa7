package ui

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// heavy is a saga with as much of everything as there can be: steps, attempts, data and texts.
func heavy(steps, attempts int) (resource.Saga, []definedStep, []resource.HistoryEntry) {
	s := resource.Saga{ID: "01JD0000000000000000000001", Definition: "heavy", Version: 1, Status: saga.Stuck, CreatedAt: *at(0), Key: resource.Text(strings.Repeat("<", 128))}
	data := make(map[string]string)
	var definition []definedStep
	var history []resource.HistoryEntry
	said := strings.Repeat(`"<W>`, 1000)
	for i := range steps {
		name := fmt.Sprintf("step-%d-%s", i, strings.Repeat("x", 50))
		output := map[string]string{fmt.Sprintf("%s%d", strings.Repeat("<", 100), i): strings.Repeat(`<"&>`, 10_000/steps*25)}
		content, _ := json.Marshal(output)
		maps.Copy(data, output)
		s.Steps = append(s.Steps, resource.SagaStep{
			Name: name, Status: saga.StepSucceeded, Command: resource.Text(strings.Repeat("c", 200)), Queue: "q", Output: content,
			StartedAt: at(float64(i)), FinishedAt: at(float64(i) + 0.5), Attempts: attempts,
			Error: &saga.StepError{Code: strings.Repeat("<", 128), Message: said},
		})
		p := definedStep{Name: name, Command: strings.Repeat("c", 200)}
		if i > 0 {
			p.After = []string{definition[i-1].Name}
		}
		definition = append(definition, p)
		for n := range attempts {
			history = append(history, entry(float64(i)+float64(n)*0.1, saga.EntryStepDispatched, name, n+1))
			failed := entry(float64(i)+float64(n)*0.1+0.05, saga.EntryStepAttemptFailed, name, n+1)
			failed.Detail = map[string]any{"code": strings.Repeat("<", 128), "message": said}
			history = append(history, failed)
		}
	}
	s.Data, _ = json.Marshal(data)
	return s, definition, history
}

func TestAViewStaysSmallWhateverASagaHolds(t *testing.T) {
	t.Parallel()
	p := &page{Config: Config{Now: func() time.Time { return second(200) }, Logger: slog.New(slog.DiscardHandler)}, assets: loadAssets()}
	p.templates = p.loadTemplates()
	for _, shape := range [][2]int{{1, 500}, {3, 100}, {40, 10}, {100, 1}, {100, 5}} {
		s, definition, history := heavy(shape[0], shape[1])
		view := sagaView{Saga: s}
		p.fill(&view, definition, history)
		content, err := p.fragment("saga", view, &viewer{Role: "admin"})
		require.NoError(t, err)
		t.Logf("%d steps, %d attempts of each: %d bytes", shape[0], shape[1], len(content))
		assert.Less(t, len(content), 142<<10, "with the layout around it, a view has less than 150 KB")
		assert.Contains(t, string(content), "/whole/saga", "what is cut is linked")
		assert.Contains(t, string(content), "/whole/history")
		assert.NotContains(t, string(content), "<W>")
	}
}

// A text takes no more room as HTML than it may, and what is left out is said.
func TestALongTextLeavesRoomForOthers(t *testing.T) {
	t.Parallel()
	left := room{left: 1000}
	assert.Equal(t, `"short"`, left.json(json.RawMessage(`"short"`)))
	assert.False(t, left.cut)
	assert.Contains(t, left.text(strings.Repeat("<", 1000), maxShown), "… and ")
	assert.True(t, left.cut)
	for range 100 {
		left.text(strings.Repeat("ü", 1000), maxShown)
	}
	assert.Positive(t, left.left)
	shown := (&room{left: 4000}).object(object{"a": json.RawMessage(`1`), "b": json.RawMessage(`{"c":2}`)})
	assert.JSONEq(t, `{"a":1,"b":{"c":2}}`, shown)
	many := make(object)
	for i := range 1000 {
		many[fmt.Sprint(i)] = json.RawMessage(`"value"`)
	}
	assert.Contains(t, (&room{left: 4000}).object(many), " more members")
}
