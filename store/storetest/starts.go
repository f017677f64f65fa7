package storetest

import (
	"context"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func startRules() map[string]rule {
	return map[string]rule{
		"the same idempotency key and body find the saga":               with(sameKeySameBody),
		"the same idempotency key for another body is a conflict":       with(sameKeyOtherBody),
		"a business key is in use until its saga ends":                  with(businessKeyUntilEnd),
		"a business key is per definition":                              with(businessKeyPerDefinition),
		"the idempotency key counts before the business key":            with(idempotencyKeyFirst),
		"a business key in use leaves the idempotency key free":         with(keyInUseLeavesIdempotencyKey),
		"a start that was committed before is found, by its key":        with(ownCommitWithKey),
		"a start that was committed before is found, by its id":         with(ownCommitWithoutKey),
		"a finished start that is repeated does not take its key again": with(ownCommitFinished),
		"of two starts in one batch under one key the first wins":       with(twoClaimsOneKey),
		"of two starts in one batch the second shares the refusal":      with(twoClaimsOneRefusal),
		"of two business keys in one batch the first wins":              with(twoClaimsOneBusinessKey),
		"a start is told of a newer version of its definition":          with(newerVersion),
		"a start that decide does not make gives its keys back":         with(startNotMade),
		"a saga opened again takes its business key if it is free":      with(reopenedTakesKey),
		"a saga opened again lets another keep the business key":        with(reopenedFindsKeyTaken),
	}
}

func sameKeySameBody(w *World) {
	t := w.t
	first := NewID()
	_, err := w.TryStart(w.Claim(first, "k1", ""), saga.Start{})
	require.NoError(t, err)
	w.Complete(first)
	outcome, err := w.TryStart(w.Claim(NewID(), "k1", ""), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartOutcome{Kind: record.StartExists, Existing: first, Instance: w.Get(first)}, outcome)
}

func sameKeyOtherBody(w *World) {
	t := w.t
	first := NewID()
	_, err := w.TryStart(w.Claim(first, "k1", ""), saga.Start{})
	require.NoError(t, err)
	claim := w.Claim(NewID(), "k1", "")
	claim.BodyHash = []byte("something else")
	outcome, err := w.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartOutcome{Kind: record.StartConflict, Existing: first}, outcome)
}

func businessKeyUntilEnd(w *World) {
	t := w.t
	first := w.Start(saga.Start{Key: "order-1"})
	outcome, err := w.TryStart(w.Claim(NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartOutcome{Kind: record.StartKeyInUse, Existing: first.ID}, outcome)
	w.Complete(first.ID)
	outcome, err = w.TryStart(w.Claim(NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind)
}

func businessKeyPerDefinition(w *World) {
	t := w.t
	w.Start(saga.Start{Key: "order-1"})
	other, _, err := w.PutDefinition(t.Context(), Definition(t, "refund", orderBody))
	require.NoError(t, err)
	elsewhere := *w
	elsewhere.Plan = other.Definition
	elsewhere.Start(saga.Start{Key: "order-1"})
}

func idempotencyKeyFirst(w *World) {
	t := w.t
	first := NewID()
	_, err := w.TryStart(w.Claim(first, "k1", "order-1"), saga.Start{})
	require.NoError(t, err)
	outcome, err := w.TryStart(w.Claim(NewID(), "k1", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartExists, outcome.Kind)
}

func keyInUseLeavesIdempotencyKey(w *World) {
	t := w.t
	first := w.Start(saga.Start{Key: "order-1"})
	outcome, err := w.TryStart(w.Claim(NewID(), "k1", "order-1"), saga.Start{})
	require.NoError(t, err)
	require.Equal(t, record.StartKeyInUse, outcome.Kind)
	w.Complete(first.ID)
	claim := w.Claim(NewID(), "k1", "order-1")
	claim.BodyHash = []byte("something else")
	outcome, err = w.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind)
}

func ownCommitWithKey(w *World) { ownCommit(w, w.Claim(NewID(), "k1", "order-1")) }

func ownCommitWithoutKey(w *World) { ownCommit(w, w.Claim(NewID(), "", "order-1")) }

func ownCommit(w *World, claim record.StartClaim) {
	t := w.t
	t.Helper()
	_, err := w.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	outcome, err := w.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	want := record.StartOutcome{Kind: record.StartExists, Existing: claim.SagaID, Instance: w.Get(claim.SagaID)}
	assert.Equal(t, want, outcome)
	outcome, err = w.TryStart(w.Claim(NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartKeyInUse, outcome.Kind, "it still has its business key")
}

func ownCommitFinished(w *World) {
	t := w.t
	claim := w.Claim(NewID(), "k1", "order-1")
	_, err := w.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	w.Complete(claim.SagaID)
	outcome, err := w.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartExists, outcome.Kind)
	outcome, err = w.TryStart(w.Claim(NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind)
}

// startBoth starts two sagas in one batch, those of them that are free.
func (w *World) startBoth(ctx context.Context, first, second record.StartClaim) map[string]record.StartOutcome {
	w.t.Helper()
	var outcomes map[string]record.StartOutcome
	batch := record.Batch{Starts: []record.StartClaim{first, second}}
	err := w.Transact(ctx, batch, func(l record.Loaded) (record.Changes, error) {
		outcomes = l.Starts
		var all record.Changes
		for _, claim := range batch.Starts {
			if l.Starts[claim.SagaID].Kind == record.StartFree {
				changes, err := w.Begin(l, saga.Start{ID: claim.SagaID, Key: claim.Key})
				require.NoError(w.t, err)
				all = join(all, changes)
			}
		}
		return all, nil
	})
	require.NoError(w.t, err)
	return outcomes
}

func twoClaimsOneKey(w *World) {
	t := w.t
	first, same, other := w.Claim(NewID(), "k1", "order-1"), w.Claim(NewID(), "k1", "order-1"), w.Claim(NewID(), "k2", "")
	outcomes := w.startBoth(t.Context(), first, same)
	assert.Equal(t, record.StartFree, outcomes[first.SagaID].Kind)
	assert.Equal(t, record.StartOutcome{Kind: record.StartExists, Existing: first.SagaID}, outcomes[same.SagaID])

	another := w.Claim(NewID(), "k2", "")
	another.BodyHash = []byte("something else")
	outcomes = w.startBoth(t.Context(), other, another)
	assert.Equal(t, record.StartOutcome{Kind: record.StartConflict, Existing: other.SagaID}, outcomes[another.SagaID])
}

func twoClaimsOneRefusal(w *World) {
	t := w.t
	holder := w.Start(saga.Start{Key: "order-1"})
	first, second := w.Claim(NewID(), "k1", "order-1"), w.Claim(NewID(), "k1", "order-1")
	outcomes := w.startBoth(t.Context(), first, second)
	inUse := record.StartOutcome{Kind: record.StartKeyInUse, Existing: holder.ID}
	assert.Equal(t, map[string]record.StartOutcome{first.SagaID: inUse, second.SagaID: inUse}, outcomes)
	w.Complete(holder.ID)
	outcome, err := w.TryStart(w.Claim(NewID(), "k1", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind)
}

func twoClaimsOneBusinessKey(w *World) {
	t := w.t
	first, second := w.Claim(NewID(), "k2", "order-1"), w.Claim(NewID(), "k1", "order-1")
	outcomes := w.startBoth(t.Context(), first, second)
	assert.Equal(t, record.StartFree, outcomes[first.SagaID].Kind)
	assert.Equal(t, record.StartOutcome{Kind: record.StartKeyInUse, Existing: first.SagaID}, outcomes[second.SagaID])
	outcome, err := w.TryStart(w.Claim(NewID(), "k1", ""), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind, "its idempotency key stayed free")
}

func startNotMade(w *World) {
	t := w.t
	batch := record.Batch{Starts: []record.StartClaim{w.Claim(NewID(), "k1", "order-1")}}
	err := w.Transact(t.Context(), batch, func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil })
	require.NoError(t, err)
	outcome, err := w.TryStart(w.Claim(NewID(), "k1", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind)
}

// lateEffect abandons a saga whose first step then reports its success: it can be opened again.
func (w *World) lateEffect(key string) saga.Instance {
	w.t.Helper()
	in := w.Start(saga.Start{Key: key})
	in = w.Apply(in.ID, Do(saga.ActionAbandon))
	require.True(w.t, in.Status.Terminal())
	return w.Apply(in.ID, Succeed(in.ID, "reserve", `{}`))
}

func reopen() saga.Action {
	action := Do(saga.ActionCompensate)
	action.Step = "reserve"
	return action
}

func reopenedTakesKey(w *World) {
	t := w.t
	in := w.lateEffect("order-1")
	in = w.Apply(in.ID, reopen())
	require.False(t, in.Status.Terminal())
	outcome, err := w.TryStart(w.Claim(NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartOutcome{Kind: record.StartKeyInUse, Existing: in.ID}, outcome)
}

func reopenedFindsKeyTaken(w *World) {
	t := w.t
	in := w.lateEffect("order-1")
	other := w.Start(saga.Start{Key: "order-1"})
	w.Apply(in.ID, reopen())
	ended := w.Apply(in.ID, Undone(in.ID, "reserve"))
	require.True(t, ended.Status.Terminal())
	outcome, err := w.TryStart(w.Claim(NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartOutcome{Kind: record.StartKeyInUse, Existing: other.ID}, outcome)
}

func newerVersion(w *World) {
	t := w.t
	claim := w.Claim(NewID(), "", "")
	claim.Latest = true
	told := func(claim record.StartClaim) map[string]int {
		var newer map[string]int
		err := w.Transact(t.Context(), record.Batch{Starts: []record.StartClaim{claim}},
			func(l record.Loaded) (record.Changes, error) {
				newer = l.Newer
				return record.Changes{}, nil
			})
		require.NoError(t, err)
		return newer
	}
	assert.Empty(t, told(claim), "it is the latest")
	other, _, err := w.PutDefinition(t.Context(), Definition(t, "order", `{"steps": [{"name": "a", "command": "a.do"}]}`))
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"order": other.Version}, told(claim))
	claim.Latest = false
	assert.Empty(t, told(claim), "it asked for its version")
}
