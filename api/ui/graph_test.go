package ui

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

func TestAGraphHasLayersAndAPointOfNoReturn(t *testing.T) {
	t.Parallel()
	g := viewGraph([]definedStep{
		{Name: "a"},
		{Name: "b"},
		{Name: "c", After: []string{"a", "b"}},
		{Name: "p", After: []string{"c"}, Kind: saga.Pivot},
		{Name: "x", After: []string{"p"}},
		{Name: "y", After: []string{"p"}},
	}, map[string]saga.StepStatus{"a": saga.StepSucceeded, "c": saga.StepFailed}, "c")
	x := func(i int) int { return g.Nodes[i].X }
	assert.Equal(t, x(0), x(1), "both start at once")
	assert.Less(t, x(1), x(2))
	assert.Less(t, x(2), x(3))
	assert.Equal(t, x(4), x(5))
	assert.NotEqual(t, g.Nodes[4].Y, g.Nodes[5].Y)
	assert.Len(t, g.Edges, 5)
	assert.True(t, g.Nodes[2].Mark)
	assert.Greater(t, g.PivotX, x(3)+nodeWidth)
	assert.Less(t, g.PivotX, x(4))
	assert.True(t, g.Edges[0].Done, "c has begun")
	assert.Regexp(t, `^M\d+ \d+C[\d -]+$`, g.Edges[0].Path())
	assert.Zero(t, viewGraph([]definedStep{{Name: "p", Kind: saga.Pivot}}, nil, "").PivotX, "nothing comes after it")
}

func TestNodesOfAGraphDoNotOverlap(t *testing.T) {
	t.Parallel()
	var steps []definedStep
	for i := range 100 {
		step := definedStep{Name: fmt.Sprint(i)}
		for j := range i {
			if (i*7+j*13)%31 == 0 {
				step.After = append(step.After, fmt.Sprint(j))
			}
		}
		steps = append(steps, step)
	}
	g := viewGraph(steps, nil, "")
	places := make(map[[2]int]string)
	for _, n := range g.Nodes {
		place := [2]int{n.X, n.Y}
		require.Empty(t, places[place], "%s and %s", places[place], n.Step.Name)
		places[place] = n.Step.Name
		assert.LessOrEqual(t, n.X+nodeWidth, g.Width)
		assert.LessOrEqual(t, n.Y+nodeHeight, g.Height)
	}
	for _, e := range g.Edges {
		assert.Less(t, e.X1, e.X2, "every edge goes to the right")
	}
}

func TestAnUnknownShapeOfStepsIsNotDrawn(t *testing.T) {
	t.Parallel()
	assert.Empty(t, stepsOf([]byte(`{"not":"a list"}`)))
	assert.Empty(t, viewGraph(nil, nil, "").Nodes)
	circle := []definedStep{{Name: "a", After: []string{"b"}}, {Name: "b", After: []string{"a", "gone"}}}
	assert.Len(t, viewGraph(circle, nil, "").Nodes, 2, "it ends, even for what the API refuses")
}
