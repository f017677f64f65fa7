package compare

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/bench/system"
)

func TestEverySystemRunsEveryCellOncePerRound(t *testing.T) {
	plan := Plan{
		Systems: []string{"a", "b", "c"}, Variants: []system.Variant{system.Succeeding, system.Compensating},
		InFlight: []int{64, 256}, Rounds: 4,
	}
	runs := map[assignment]int{}
	for _, a := range plan.schedule() {
		runs[a]++
	}
	assert.Len(t, runs, 3*2*2*4)
	for a, n := range runs {
		assert.Equal(t, 1, n, "runs of %v", a)
	}
}

func TestTheOrderOfSystemsRotates(t *testing.T) {
	plan := Plan{Systems: []string{"a", "b", "c"}, Variants: []system.Variant{system.Succeeding}, InFlight: []int{64}, Rounds: 3}
	var order []string
	for _, a := range plan.schedule() {
		order = append(order, a.system)
	}
	assert.Equal(t, []string{"a", "b", "c", "b", "c", "a", "c", "a", "b"}, order)
}

func TestOnlyNamedSystemsRunOneSagaAtATime(t *testing.T) {
	plan := Plan{Systems: []string{"a", "b"}, Variants: []system.Variant{system.Compensating}, InFlight: []int{64}, Rounds: 1, OneByOne: []string{"b"}}
	assert.Equal(t, []assignment{
		{Cell{system.Compensating, 64}, 0, "a"}, {Cell{system.Compensating, 64}, 0, "b"}, {Cell{system.Succeeding, 1}, 0, "b"},
	}, plan.schedule())
}

func TestTheCellOfOneSagaAtATimeIsNotRepeated(t *testing.T) {
	plan := Plan{Systems: []string{"a"}, Variants: []system.Variant{system.Succeeding}, InFlight: []int{1}, Rounds: 1, OneByOne: []string{"a"}}
	assert.Len(t, plan.schedule(), 1)
}
