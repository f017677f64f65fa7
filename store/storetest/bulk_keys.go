package storetest

import (
	"encoding/json"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func bulkKeyRules() map[string]rule {
	return map[string]rule{
		"the same idempotency key and request find the bulk action as it is now": with(bulkRepeated),
		"the same idempotency key for another request is a conflict":             with(bulkConflict),
		"bulk actions of each kind have idempotency keys of their own":           with(bulkKeyOfKind),
		"bulk actions without an idempotency key are made each time":             with(bulkWithoutKey),
		"a bulk action takes its idempotency key with it":                        with(bulkKeyGoes),
		"a hundred bulk actions under one idempotency key make one":              with(racingBulkKey),
	}
}

// keyed returns a bulk action that is requested under the idempotency key k.
func keyed(kind record.BulkKind, request string) record.BulkAction {
	return record.BulkAction{
		ID: NewID(), Kind: kind, Action: "pause", Reason: "x", Actor: "key:ops", Filter: json.RawMessage(`{"a":1}`),
		Parameters: json.RawMessage(`{}`), IdempotencyKey: "k", RequestHash: []byte(request),
	}
}

// allBulks returns every bulk action.
func (f *Fixture) allBulks() []record.BulkAction {
	f.t.Helper()
	all, _, err := f.Bulks(f.t.Context(), record.Page{Limit: 500})
	require.NoError(f.t, err)
	return all
}

func bulkRepeated(f *Fixture) {
	t, ctx := f.t, f.called("ci")
	targets := record.BulkTargets{IDs: []string{f.Start(saga.Start{}).ID}}
	made, err := f.CreateBulk(ctx, keyed(record.BulkSagas, "one"), targets)
	require.NoError(t, err)
	assert.Equal(t, record.BulkTally{Matched: 1}, made.Tally)
	cancelled, err := f.ControlBulk(ctx, made.ID, (*record.BulkAction).Cancel)
	require.NoError(t, err)
	targets.IDs = append(targets.IDs, f.Start(saga.Start{}).ID)
	again, err := f.CreateBulk(ctx, keyed(record.BulkSagas, "one"), targets)
	require.NoError(t, err)
	assert.Equal(t, cancelled, again)
	assert.Equal(t, []record.BulkAction{cancelled}, f.allBulks(), "its targets are those of the first request")
	assert.Len(t, f.auditLog(), 2, "a repetition changes nothing: it is not audited")
}

func bulkConflict(f *Fixture) {
	t := f.t
	made, err := f.CreateBulk(t.Context(), keyed(record.BulkSagas, "one"), record.BulkTargets{})
	require.NoError(t, err)
	refused, err := f.CreateBulk(t.Context(), keyed(record.BulkSagas, "another"), record.BulkTargets{})
	require.ErrorIs(t, err, record.ErrIdempotencyConflict)
	assert.Equal(t, record.BulkAction{}, refused, "nothing is shown of what the key stands for")
	assert.Equal(t, []record.BulkAction{made}, f.allBulks())
}

func bulkKeyOfKind(f *Fixture) {
	t := f.t
	_, err := f.TryStart(f.Claim(NewID(), "k", ""), saga.Start{})
	require.NoError(t, err)
	for _, kind := range []record.BulkKind{record.BulkSagas, record.BulkDeadLetters} {
		asked := keyed(kind, string(kind))
		made, err := f.CreateBulk(t.Context(), asked, record.BulkTargets{})
		require.NoError(t, err)
		assert.Equal(t, asked.ID, made.ID)
	}
	assert.Len(t, f.allBulks(), 2)
}

func bulkWithoutKey(f *Fixture) {
	f.bulk(record.BulkAction{}, record.BulkTargets{})
	f.bulk(record.BulkAction{}, record.BulkTargets{})
	assert.Len(f.t, f.allBulks(), 2)
}

func bulkKeyGoes(f *Fixture) {
	t := f.t
	first, err := f.CreateBulk(t.Context(), keyed(record.BulkSagas, "one"), record.BulkTargets{})
	require.NoError(t, err)
	require.Equal(t, record.BulkCompleted, first.Status)
	deleted, err := f.ExpireBulk(t.Context(), time.Microsecond, 10)
	require.NoError(t, err)
	require.Zero(t, deleted, "it had no targets")
	second, err := f.CreateBulk(t.Context(), keyed(record.BulkSagas, "another"), record.BulkTargets{})
	require.NoError(t, err)
	assert.NotEqual(t, first.ID, second.ID)
	assert.Equal(t, []record.BulkAction{second}, f.allBulks())
}

func racingBulkKey(f *Fixture) {
	t := f.t
	const n = 100
	targets := record.BulkTargets{IDs: []string{f.Start(saga.Start{}).ID}}
	found := make([]record.BulkAction, n)
	require.Empty(t, atOnce(n, func(i int) (err error) {
		found[i], err = f.CreateBulk(t.Context(), keyed(record.BulkSagas, "one"), targets)
		return err
	}))
	all := f.allBulks()
	require.Len(t, all, 1)
	for _, one := range found {
		assert.Equal(t, all[0], one)
	}
}
