package ui

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Who compensates or skips an unknown pivot says what has happened: nothing else will.
func TestAFormSaysWhatAnActionDeclares(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		reason       saga.AttentionReason
		action, says string
	}{
		{saga.PivotUnknown, "compensate", "Declares that the pivot, step pay, did not take effect"},
		{saga.PivotUnknown, "skip", "Declares that the pivot, step pay, did take effect"},
		{saga.InvalidOutput, "skip", "Counts step pay, which took effect, as done"},
		{saga.RetriesExhausted, "skip", "Counts an exhausted step"},
	} {
		info, known := actionNamed(c.action)
		assert.True(t, known)
		s := resource.Saga{Attention: &resource.Attention{Reason: c.reason, Step: "pay"}}
		assert.Contains(t, info.forSaga(&s).About, c.says)
	}
	info, _ := actionNamed("compensate")
	assert.Equal(t, info, info.forSaga(&resource.Saga{}))
}
