package compare

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/bench/contender"
)

func TestEverybodyHasOneTurnForEveryCellInEveryRound(t *testing.T) {
	plan := Plan{
		Contenders: []string{"a", "b", "c"}, Variants: []contender.Variant{contender.Succeeding, contender.Compensating},
		InFlight: []int{64, 256}, Rounds: 4,
	}
	turns := map[assignment]int{}
	for _, a := range plan.schedule() {
		turns[a]++
	}
	assert.Len(t, turns, 3*2*2*4)
	for a, n := range turns {
		assert.Equal(t, 1, n, "turns of %v", a)
	}
}

func TestNobodyAlwaysBegins(t *testing.T) {
	plan := Plan{Contenders: []string{"a", "b", "c"}, Variants: []contender.Variant{contender.Succeeding}, InFlight: []int{64}, Rounds: 3}
	var order []string
	for _, a := range plan.schedule() {
		order = append(order, a.contender)
	}
	assert.Equal(t, []string{"a", "b", "c", "b", "c", "a", "c", "a", "b"}, order)
}

func TestOneSagaAtATimeIsForThoseWhoAreNamed(t *testing.T) {
	plan := Plan{Contenders: []string{"a", "b"}, Variants: []contender.Variant{contender.Compensating}, InFlight: []int{64}, Rounds: 1, OneByOne: []string{"b"}}
	assert.Equal(t, []assignment{
		{Cell{contender.Compensating, 64}, 0, "a"}, {Cell{contender.Compensating, 64}, 0, "b"}, {Cell{contender.Succeeding, 1}, 0, "b"},
	}, plan.schedule())
}

func TestOneSagaAtATimeThatIsAskedForAnywayIsDoneOnce(t *testing.T) {
	plan := Plan{Contenders: []string{"a"}, Variants: []contender.Variant{contender.Succeeding}, InFlight: []int{1}, Rounds: 1, OneByOne: []string{"a"}}
	assert.Len(t, plan.schedule(), 1)
}
