package ui

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// definedStep is a step of a definition, as the API shows it.
type definedStep struct {
	Name                string          `json:"name"`
	Command             string          `json:"command"`
	Compensation        string          `json:"compensation"`
	Queue               string          `json:"queue"`
	Kind                saga.Kind       `json:"kind"`
	After               []string        `json:"after"`
	Timeout             string          `json:"timeout"`
	Retry               json.RawMessage `json:"retry"`
	CompensationTimeout string          `json:"compensation_timeout"`
	CompensationRetry   json.RawMessage `json:"compensation_retry"`
	Signal              string          `json:"signal"`
	Delay               string          `json:"delay"`
	Until               string          `json:"until"`
	Saga                string          `json:"saga"`
	When                string          `json:"when"`
}

// Does returns what the step does in a few words: its command, or what it waits for.
func (s definedStep) Does() string {
	switch {
	case s.Signal != "":
		return "waits for the signal " + s.Signal
	case s.Delay != "":
		return "waits " + s.Delay
	case s.Saga != "":
		return "starts a saga of " + s.Saga
	case s.Until != "":
		return "waits until the time at " + s.Until
	default:
		return s.Command
	}
}

// stepsOf reads the steps of a definition. What the page cannot read is not drawn.
func stepsOf(raw json.RawMessage) []definedStep {
	var steps []definedStep
	if json.Unmarshal(raw, &steps) != nil {
		return nil
	}
	return steps
}

// graph is a definition drawn as layers of steps, from left to right.
type graph struct {
	Width, Height int
	Nodes         []node
	Edges         []edge
	PivotX        int // of the line after which a saga only goes forward; 0: none
}

type node struct {
	Step   definedStep
	Status saga.StepStatus // empty: only the definition is drawn
	X, Y   int
	Mark   bool // the step that needs attention
}

// edge is a curve from one step to a step that comes after it.
type edge struct {
	X1, Y1, X2, Y2 int
	Bend           int
	Done           bool
}

const (
	nodeWidth  = 176
	nodeHeight = 52
	columnGap  = 48
	rowGap     = 16
	graphEdge  = 12
	pivotRoom  = 28 // above the graph, for the label of the pivot's line
)

// viewGraph lays out the steps of a definition. status has the status of each step of a saga; nil: none.
func viewGraph(steps []definedStep, status map[string]saga.StepStatus, attention string) graph {
	layers := layersOf(steps)
	columns := make([][]int, 0, len(steps))
	for i := range steps {
		for len(columns) <= layers[i] {
			columns = append(columns, nil)
		}
		columns[layers[i]] = append(columns[layers[i]], i)
	}
	tallest := 0
	for _, column := range columns {
		tallest = max(tallest, len(column))
	}
	drawn := graph{
		Width:  2*graphEdge + len(columns)*(nodeWidth+columnGap) - columnGap,
		Height: 2*graphEdge + pivotRoom + tallest*(nodeHeight+rowGap) - rowGap,
		Nodes:  make([]node, len(steps)),
	}
	for c, column := range columns {
		space := (tallest - len(column)) * (nodeHeight + rowGap) / 2
		for r, i := range column {
			drawn.Nodes[i] = node{
				Step: steps[i], Status: status[steps[i].Name], Mark: attention == steps[i].Name && attention != "",
				X: graphEdge + c*(nodeWidth+columnGap), Y: graphEdge + pivotRoom + space + r*(nodeHeight+rowGap),
			}
			if steps[i].Kind == saga.Pivot && c < len(columns)-1 {
				drawn.PivotX = drawn.Nodes[i].X + nodeWidth + columnGap/2
			}
		}
	}
	drawn.connect(steps)
	return drawn
}

func (g *graph) connect(steps []definedStep) {
	place := make(map[string]int, len(steps))
	for i := range steps {
		place[steps[i].Name] = i
	}
	for i, step := range steps {
		for _, before := range step.After {
			j, known := place[before]
			if !known {
				continue
			}
			from, to := g.Nodes[j], g.Nodes[i]
			x1, x2 := from.X+nodeWidth, to.X-2
			g.Edges = append(g.Edges, edge{
				X1: x1, Y1: from.Y + nodeHeight/2, X2: x2, Y2: to.Y + nodeHeight/2, Bend: max(16, (x2-x1)/2),
				Done: to.Status != "" && to.Status != saga.StepPending,
			})
		}
	}
}

// layersOf returns the layer of each step: one more than the highest layer of the steps before it.
func layersOf(steps []definedStep) []int {
	layers, place := make([]int, len(steps)), make(map[string]int, len(steps))
	for i := range steps {
		place[steps[i].Name] = i
	}
	for range steps { // a definition has no circle, so this many rounds settle every step
		changed := false
		for i, step := range steps {
			for _, before := range step.After {
				if j, known := place[before]; known && layers[i] <= layers[j] && layers[j]+1 < len(steps) {
					layers[i], changed = layers[j]+1, true
				}
			}
		}
		if !changed {
			break
		}
	}
	return layers
}

// statuses returns the status of each step of a saga, by name.
func statuses(steps []sagaStep) map[string]saga.StepStatus {
	found := make(map[string]saga.StepStatus, len(steps))
	for _, step := range steps {
		found[step.Name] = step.Status
	}
	return found
}

// Label returns the graph in words.
func (g graph) Label() string {
	var label strings.Builder
	for _, n := range g.Nodes {
		label.WriteString(n.Step.Name)
		if n.Status != "" {
			label.WriteString(" " + words(n.Status))
		}
		if len(n.Step.After) > 0 {
			label.WriteString(" after " + strings.Join(n.Step.After, " and "))
		}
		label.WriteString("; ")
	}
	return label.String()
}

// Path returns the curve, whose control points pull both ends sideways.
func (e edge) Path() string {
	return fmt.Sprintf("M%d %dC%d %d %d %d %d %d", e.X1, e.Y1, e.X1+e.Bend, e.Y1, e.X2-e.Bend, e.Y2, e.X2, e.Y2)
}
