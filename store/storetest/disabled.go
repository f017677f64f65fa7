package storetest

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func disabledRules() map[string]rule {
	return map[string]rule{
		"a disabled definition starts no saga":    with(disabledStart),
		"a repeated start still finds its saga":   with(disabledRepeated),
		"a missing definition cannot be disabled": with(disabledUnknown),
	}
}

func (f *Fixture) setDisabled(disabled bool) (changed bool) {
	f.t.Helper()
	changed, err := f.SetDisabled(f.t.Context(), "order", disabled, "key:ops")
	require.NoError(f.t, err)
	return changed
}

func disabledStart(f *Fixture) {
	t := f.t
	before := f.Start(saga.Start{})
	assert.True(t, f.setDisabled(true))
	assert.False(t, f.setDisabled(true))
	names, err := f.Disabled(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"order"}, names)
	for _, key := range []string{"", "order-1", "order-1"} {
		claim := f.Claim(NewID(), key, key)
		claim.Version = 1
		outcome, err := f.TryStart(claim, saga.Start{})
		require.NoError(t, err)
		assert.Equal(t, record.StartOutcome{Kind: record.StartDisabled}, outcome)
	}
	f.Complete(before.ID)

	assert.True(t, f.setDisabled(false))
	assert.False(t, f.setDisabled(false))
	f.Start(saga.Start{Key: "order-1"})
}

func disabledRepeated(f *Fixture) {
	t := f.t
	claim := f.Claim(NewID(), "k-1", "")
	claim.Version = 1
	_, err := f.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	f.setDisabled(true)
	again := claim
	again.SagaID = NewID()
	outcome, err := f.TryStart(again, saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartExists, outcome.Kind)
	assert.Equal(t, claim.SagaID, outcome.Existing)
}

func disabledUnknown(f *Fixture) {
	for _, name := range []string{"other", "no\x00name"} {
		_, err := f.SetDisabled(f.t.Context(), name, true, "")
		require.ErrorIs(f.t, err, record.ErrDefinitionNotFound)
	}
}
