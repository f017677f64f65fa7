package storetest

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func bulkRules() map[string]rule {
	return map[string]rule{
		"a bulk action's targets are those that match at its creation": with(bulkTargets),
		"dead letters are targets too":                                 with(bulkOfDeadLetters),
		"bulk actions are listed newest first, their targets in order": with(bulkLists),
		"an outcome is stored with its cause, once":                    with(bulkOutcomeOnce),
		"a bulk action decides targets only while it runs":             with(bulkNotRunning),
		"it waits after its canary and stops after failures":           with(bulkWaitsAndStops),
		"a bulk action without targets is completed at once":           with(bulkEmpty),
		"a missing bulk action is not found":                           with(bulkNotFound),
		"a bulk action that is over goes after its time":               with(bulkExpires),
	}
}

func bulkExpires(f *Fixture) {
	ids := []string{f.Start(saga.Start{}).ID, f.Start(saga.Start{}).ID}
	over, running := f.bulk(record.BulkAction{}, record.BulkTargets{IDs: ids}), f.bulk(record.BulkAction{}, record.BulkTargets{IDs: ids})
	_, err := f.ControlBulk(f.t.Context(), over.ID, (*record.BulkAction).Cancel)
	require.NoError(f.t, err)
	expire := func(age time.Duration, limit, want int) {
		f.t.Helper()
		deleted, err := f.ExpireBulk(f.t.Context(), age, limit)
		require.NoError(f.t, err)
		assert.Equal(f.t, want, deleted)
	}
	expire(time.Hour, 10, 0)
	expire(time.Microsecond, 1, 1)
	_, err = f.Bulk(f.t.Context(), over.ID)
	require.NoError(f.t, err, "a target is left")
	expire(time.Microsecond, 10, 1)
	_, err = f.Bulk(f.t.Context(), over.ID)
	require.ErrorIs(f.t, err, record.ErrBulkNotFound)
	expire(time.Microsecond, 10, 0)
	found, err := f.Bulk(f.t.Context(), running.ID)
	require.NoError(f.t, err)
	assert.Equal(f.t, 2, found.Tally.Matched)
}

func (f *Fixture) bulk(action record.BulkAction, targets record.BulkTargets) record.BulkAction {
	f.t.Helper()
	action.ID, action.Reason, action.Actor = NewID(), "bank <is> back", "key:ops"
	action.Filter, action.Parameters = json.RawMessage(`{"a":1}`), json.RawMessage(`{}`)
	if action.Kind == "" {
		action.Kind, action.Action = record.BulkSagas, "pause"
	}
	made, err := f.CreateBulk(f.t.Context(), action, targets)
	require.NoError(f.t, err)
	found, err := f.Bulk(f.t.Context(), action.ID)
	require.NoError(f.t, err)
	assert.Equal(f.t, made, found)
	return made
}

// result decides a target. It pauses the saga if pause is set.
func (f *Fixture) result(bulk, target string, outcome record.BulkOutcome, pause bool) error {
	f.t.Helper()
	ref := record.BulkRef{Bulk: bulk, Holder: "me", Target: target}
	return f.Transact(f.t.Context(), record.Batch{SagaIDs: []string{target}, Bulk: []record.BulkRef{ref}},
		func(loaded record.Loaded) (changes record.Changes, err error) {
			if loaded.BulkOver[ref] {
				return changes, record.ErrBulkOver
			}
			if pause {
				changes, err = f.Decide(loaded, target, Do(saga.ActionPause))
			}
			changes.Results = []record.BulkResult{{BulkRef: ref, Outcome: outcome, Message: "why <not>"}}
			return changes, err
		})
}

func (f *Fixture) claimBulks() (ids []string) {
	f.t.Helper()
	claimed, err := f.ClaimBulks(f.t.Context(), "me", LongLease)
	require.NoError(f.t, err)
	for _, action := range claimed {
		ids = append(ids, action.ID)
	}
	return ids
}

func bulkTargets(f *Fixture) {
	t := f.t
	first, second := f.Start(saga.Start{}).ID, f.Start(saga.Start{}).ID
	f.Complete(f.Start(saga.Start{}).ID)
	running := &record.Filter{Statuses: []saga.Status{saga.Running}}
	made := f.bulk(record.BulkAction{Rate: 2.5, Canary: 1, StopAfter: 3}, record.BulkTargets{Sagas: running})
	assert.Equal(t, record.BulkTally{Matched: 2}, made.Tally)
	assert.Equal(t, record.BulkRunning, made.Status)
	assert.False(t, made.CreatedAt.IsZero())
	f.Start(saga.Start{})
	remaining, err := f.RemainingBulk(t.Context(), made.ID, 10)
	require.NoError(t, err)
	assert.Equal(t, []string{first, second}, remaining)

	byID := f.bulk(record.BulkAction{}, record.BulkTargets{IDs: []string{second, second, NewID(), "no\u0000id"[:2]}})
	assert.Equal(t, record.BulkTally{Matched: 1}, byID.Tally)
	f.Start(saga.Start{Parent: &saga.Parent{Saga: first, Step: "reserve", Level: 2}})
	children := f.bulk(record.BulkAction{}, record.BulkTargets{Sagas: &record.Filter{Parent: &first, Statuses: []saga.Status{saga.Running}}})
	assert.Equal(t, record.BulkTally{Matched: 1}, children.Tally)
	none := f.bulk(record.BulkAction{}, record.BulkTargets{Sagas: &record.Filter{Definition: new("other")}})
	assert.Equal(t, record.BulkCompleted, none.Status)
}

func bulkOfDeadLetters(f *Fixture) {
	t := f.t
	f.putAside(record.DeadLetter{ID: "d-1", Source: record.SourceReply, Queue: "q"},
		record.DeadLetter{ID: "d-2", Source: record.SourceStart, Queue: "q"})
	kind := record.BulkAction{Kind: record.BulkDeadLetters, Action: "discard"}
	for want, targets := range map[int]record.BulkTargets{
		2: {DeadLetters: &record.DeadLetterFilter{Queue: new("q")}},
		1: {DeadLetters: &record.DeadLetterFilter{Source: new(record.SourceStart)}},
		0: {DeadLetters: &record.DeadLetterFilter{Reason: new("no\x00")}},
	} {
		assert.Equal(t, want, f.bulk(kind, targets).Tally.Matched)
	}
	assert.Equal(t, 1, f.bulk(kind, record.BulkTargets{IDs: []string{"d-2", "d-3"}}).Tally.Matched)
}

func bulkLists(f *Fixture) {
	t := f.t
	id := f.Start(saga.Start{}).ID
	other := f.Start(saga.Start{}).ID
	first := f.bulk(record.BulkAction{}, record.BulkTargets{IDs: []string{id, other}})
	second := f.bulk(record.BulkAction{}, record.BulkTargets{IDs: []string{id}})
	page, next, err := f.Bulks(t.Context(), record.Page{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, []record.BulkAction{second}, page)
	page, next, err = f.Bulks(t.Context(), record.Page{Limit: 1, After: next})
	require.NoError(t, err)
	assert.Equal(t, []record.BulkAction{first}, page)
	assert.Empty(t, next)

	f.claimBulks()
	require.NoError(t, f.result(first.ID, other, record.BulkRefused, false))
	items, next, err := f.BulkItems(t.Context(), first.ID, "", record.Page{Limit: 1})
	require.NoError(t, err)
	assert.Equal(t, []record.BulkItem{{Target: id}}, items)
	items, next, err = f.BulkItems(t.Context(), first.ID, "", record.Page{Limit: 1, After: next})
	require.NoError(t, err)
	assert.Empty(t, next)
	assert.Equal(t, record.BulkRefused, items[0].Outcome)
	assert.Equal(t, "why <not>", items[0].Message)
	assert.False(t, items[0].At.IsZero())
	items, _, err = f.BulkItems(t.Context(), first.ID, record.BulkDone, record.Page{Limit: 1})
	require.NoError(t, err)
	assert.Empty(t, items)
}

func bulkOutcomeOnce(f *Fixture) {
	t := f.t
	id := f.Start(saga.Start{}).ID
	made := f.bulk(record.BulkAction{}, record.BulkTargets{IDs: []string{id}})
	assert.Equal(t, []string{made.ID}, f.claimBulks())
	require.NoError(t, f.result(made.ID, id, record.BulkDone, true))
	assert.Equal(t, saga.Paused, f.Get(id).Status)
	f.Apply(id, Do(saga.ActionResume))
	require.ErrorIs(t, f.result(made.ID, id, record.BulkDone, true), record.ErrBulkOver)
	assert.Equal(t, saga.Running, f.Get(id).Status, "it is not paused a second time")

	settled, err := f.ControlBulk(t.Context(), made.ID, func(*record.BulkAction) error { return nil })
	require.NoError(t, err)
	assert.Equal(t, record.BulkTally{Matched: 1, Done: 1}, settled.Tally)
	assert.Equal(t, record.BulkCompleted, settled.Status)
	assert.False(t, settled.FinishedAt.IsZero())
	assert.Empty(t, f.claimBulks())
}

func bulkNotRunning(f *Fixture) {
	t := f.t
	id := f.Start(saga.Start{}).ID
	made := f.bulk(record.BulkAction{}, record.BulkTargets{IDs: []string{id}})
	f.claimBulks()
	cancelled, err := f.ControlBulk(t.Context(), made.ID, (*record.BulkAction).Cancel)
	require.NoError(t, err)
	assert.Equal(t, record.BulkCancelled, cancelled.Status)
	assert.False(t, cancelled.FinishedAt.IsZero())
	require.ErrorIs(t, f.result(made.ID, id, record.BulkDone, true), record.ErrBulkOver)
	assert.Equal(t, saga.Running, f.Get(id).Status)
	for _, control := range []func(*record.BulkAction) error{(*record.BulkAction).Cancel, (*record.BulkAction).Continue} {
		_, err = f.ControlBulk(t.Context(), made.ID, control)
		require.ErrorIs(t, err, record.ErrBulkNotApplicable)
	}
}

func bulkWaitsAndStops(f *Fixture) {
	t := f.t
	var ids []string
	for range 4 {
		ids = append(ids, f.Start(saga.Start{}).ID)
	}
	made := f.bulk(record.BulkAction{Canary: 1, StopAfter: 2}, record.BulkTargets{IDs: ids})
	assert.Equal(t, 1, made.Allowed())
	f.claimBulks()
	settle := func() record.BulkAction {
		settled, err := f.ControlBulk(t.Context(), made.ID, func(*record.BulkAction) error { return nil })
		require.NoError(t, err)
		return settled
	}
	require.NoError(t, f.result(made.ID, ids[0], record.BulkDone, true))
	assert.Equal(t, record.BulkWaiting, settle().Status)
	require.ErrorIs(t, f.result(made.ID, ids[1], record.BulkDone, true), record.ErrBulkOver)
	continued, err := f.ControlBulk(t.Context(), made.ID, (*record.BulkAction).Continue)
	require.NoError(t, err)
	assert.Equal(t, record.BulkRunning, continued.Status)
	assert.Equal(t, 2, continued.Allowed())
	f.claimBulks()
	require.NoError(t, f.result(made.ID, ids[1], record.BulkFailed, false))
	require.NoError(t, f.result(made.ID, ids[2], record.BulkRefused, false))
	stopped := settle()
	assert.Equal(t, record.BulkStopped, stopped.Status)
	assert.Equal(t, record.BulkTally{Matched: 4, Done: 1, Refused: 1, Failed: 1}, stopped.Tally)
	assert.Equal(t, 1, stopped.Tally.Remaining())
	continued, err = f.ControlBulk(t.Context(), made.ID, (*record.BulkAction).Continue)
	require.NoError(t, err)
	assert.Equal(t, 1, continued.Allowed(), "what was refused before no longer counts")
	assert.Equal(t, 2, continued.StopAfter, "the limit stays")
}

func bulkEmpty(f *Fixture) {
	made := f.bulk(record.BulkAction{}, record.BulkTargets{})
	assert.Equal(f.t, record.BulkCompleted, made.Status)
	assert.False(f.t, made.FinishedAt.IsZero())
}

func bulkNotFound(f *Fixture) {
	t := f.t
	for _, id := range []string{NewID(), "no\x00id"} {
		_, err := f.Bulk(t.Context(), id)
		require.ErrorIs(t, err, record.ErrBulkNotFound)
		_, _, err = f.BulkItems(t.Context(), id, "", record.Page{Limit: 1})
		require.ErrorIs(t, err, record.ErrBulkNotFound)
		_, err = f.ControlBulk(t.Context(), id, (*record.BulkAction).Cancel)
		require.ErrorIs(t, err, record.ErrBulkNotFound)
	}
	assert.False(t, slices.Contains(f.claimBulks(), "x"))
	_, err := f.ClaimBulks(t.Context(), "me", time.Minute)
	require.NoError(t, err)
}
