package diagnose_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/diagnose"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func TestADryRunSaysWhatAnActionDeclaresOfAnUnknownPivot(t *testing.T) {
	t.Parallel()
	def := saga.New("order").Pivot("pay", "shop.pay", saga.Retry(saga.Attempts(1))).MustBuild()
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	decision, err := def.Start(saga.Start{ID: "s", At: at})
	require.NoError(t, err)
	id, _ := decision.Next.CommandOut(0)
	decision, err = def.Transition(decision.Next, saga.Event{At: at, Cause: saga.Lost{Command: id, Reason: "rejected"}})
	require.NoError(t, err)
	require.Equal(t, saga.PivotUnknown, decision.Next.Attention.Reason)
	would, refused := diagnose.Would(def, decision.Next, saga.Action{ID: "1", Name: saga.ActionCompensate, Reason: "r"}, at)
	assert.Empty(t, refused)
	assert.Contains(t, would, "declare that the pivot, step pay, did not take effect")
	would, refused = diagnose.Would(def, decision.Next, saga.Action{ID: "1", Name: saga.ActionSkip, Step: "pay", Reason: "r"}, at)
	assert.Empty(t, refused)
	assert.Contains(t, would, "count step pay as done, which declares that it took effect")
}
