package system

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestATallyMustMatchTheSagasThatRan(t *testing.T) {
	assert.NoError(t, Tally{Completed: 7}.Check(Succeeding, 7))
	assert.NoError(t, Tally{Compensated: 7}.Check(Compensating, 7))

	assert.Error(t, Tally{Completed: 6}.Check(Succeeding, 7), "one is missing")
	assert.Error(t, Tally{Completed: 8}.Check(Succeeding, 7), "one too many")
	assert.Error(t, Tally{Completed: 7}.Check(Compensating, 7), "another outcome")
	assert.Error(t, Tally{Completed: 7, "running": 1}.Check(Succeeding, 7), "one has not ended")
	assert.Error(t, Tally{}.Check(Succeeding, 7))
}

func TestOnlyTheThirdStepOfADeclinedOrderFails(t *testing.T) {
	for i, step := range Steps() {
		assert.NoError(t, Handle(step.Execute, NewOrder("1", Succeeding, 0)))
		if i < 2 {
			assert.NoError(t, Handle(step.Execute, NewOrder("1", Compensating, 0)))
			assert.NoError(t, Handle(step.Compensate, NewOrder("1", Compensating, 0)))
		}
	}
	assert.ErrorIs(t, Handle("orders.confirm", NewOrder("1", Compensating, 0)), ErrDeclined)
}
