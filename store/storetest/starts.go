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
		"the same idempotency key and body find the saga":                  with(sameKeySameBody),
		"the same idempotency key for another body is a conflict":          with(sameKeyOtherBody),
		"a business key is in use until its saga ends":                     with(businessKeyUntilEnd),
		"a business key belongs to a definition":                           with(businessKeyPerDefinition),
		"the idempotency key decides before the business key":              with(idempotencyKeyFirst),
		"a business key in use keeps the idempotency key free":             with(keyInUseLeavesIdempotencyKey),
		"a start that was already committed is found by its key":           with(ownCommitWithKey),
		"a start that was already committed is found by its id":            with(ownCommitWithoutKey),
		"a start with the id of a saga and another body is a conflict":     with(ownIDOtherBody),
		"a repeated start of a finished saga does not take its key again":  with(ownCommitFinished),
		"of two starts in one batch under one key the first wins":          with(twoClaimsOneKey),
		"of two starts in one batch the second shares the refusal":         with(twoClaimsOneRefusal),
		"of two business keys in one batch the first wins":                 with(twoClaimsOneBusinessKey),
		"a start learns of a newer version of its definition":              with(newerVersion),
		"a start without a saga releases its keys":                         with(startNotMade),
		"a reopened saga takes its business key if it is free":             with(reopenedTakesKey),
		"a reopened saga leaves a taken business key alone":                with(reopenedFindsKeyTaken),
		"a reopened saga takes its business key when the holder has ended": with(reopenedTakesKeyLater),
	}
}

func sameKeySameBody(f *Fixture) {
	t := f.t
	first := NewID()
	_, err := f.TryStart(f.Claim(first, "k1", ""), saga.Start{})
	require.NoError(t, err)
	f.Complete(first)
	outcome, err := f.TryStart(f.Claim(NewID(), "k1", ""), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartOutcome{Kind: record.StartExists, Existing: first, Instance: f.Get(first)}, outcome)
	made, hash, err := f.StartedUnder(t.Context(), "k1")
	require.NoError(t, err)
	assert.Equal(t, first, made)
	assert.Equal(t, f.Claim(first, "k1", "").BodyHash, hash)
	for _, unknown := range []string{"k2", "", "\x00"} {
		made, _, err = f.StartedUnder(t.Context(), unknown)
		require.NoError(t, err)
		assert.Empty(t, made)
	}
}

func ownIDOtherBody(f *Fixture) {
	t := f.t
	first := NewID()
	claim := f.Claim(first, "k1", "")
	_, err := f.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	outcome, err := f.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartExists, outcome.Kind)
	claim.BodyHash = []byte("asked for something else")
	outcome, err = f.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartOutcome{Kind: record.StartConflict, Existing: first}, outcome)
}

func sameKeyOtherBody(f *Fixture) {
	t := f.t
	first := NewID()
	_, err := f.TryStart(f.Claim(first, "k1", ""), saga.Start{})
	require.NoError(t, err)
	claim := f.Claim(NewID(), "k1", "")
	claim.BodyHash = []byte("something else")
	outcome, err := f.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartOutcome{Kind: record.StartConflict, Existing: first}, outcome)
}

func businessKeyUntilEnd(f *Fixture) {
	t := f.t
	first := f.Start(saga.Start{Key: "order-1"})
	outcome, err := f.TryStart(f.Claim(NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartOutcome{Kind: record.StartKeyInUse, Existing: first.ID}, outcome)
	f.Complete(first.ID)
	outcome, err = f.TryStart(f.Claim(NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind)
}

func businessKeyPerDefinition(f *Fixture) {
	t := f.t
	f.Start(saga.Start{Key: "order-1"})
	other, _, err := f.PutDefinition(t.Context(), Definition(t, "refund", orderBody))
	require.NoError(t, err)
	elsewhere := *f
	elsewhere.Order = other.Definition
	elsewhere.Start(saga.Start{Key: "order-1"})
}

func idempotencyKeyFirst(f *Fixture) {
	t := f.t
	first := NewID()
	_, err := f.TryStart(f.Claim(first, "k1", "order-1"), saga.Start{})
	require.NoError(t, err)
	outcome, err := f.TryStart(f.Claim(NewID(), "k1", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartExists, outcome.Kind)
}

func keyInUseLeavesIdempotencyKey(f *Fixture) {
	t := f.t
	first := f.Start(saga.Start{Key: "order-1"})
	outcome, err := f.TryStart(f.Claim(NewID(), "k1", "order-1"), saga.Start{})
	require.NoError(t, err)
	require.Equal(t, record.StartKeyInUse, outcome.Kind)
	f.Complete(first.ID)
	claim := f.Claim(NewID(), "k1", "order-1")
	claim.BodyHash = []byte("something else")
	outcome, err = f.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind)
}

func ownCommitWithKey(f *Fixture) { ownCommit(f, f.Claim(NewID(), "k1", "order-1")) }

func ownCommitWithoutKey(f *Fixture) { ownCommit(f, f.Claim(NewID(), "", "order-1")) }

func ownCommit(f *Fixture, claim record.StartClaim) {
	t := f.t
	t.Helper()
	_, err := f.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	outcome, err := f.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	want := record.StartOutcome{Kind: record.StartExists, Existing: claim.SagaID, Instance: f.Get(claim.SagaID)}
	assert.Equal(t, want, outcome)
	outcome, err = f.TryStart(f.Claim(NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartKeyInUse, outcome.Kind, "the saga still holds its business key")
}

func ownCommitFinished(f *Fixture) {
	t := f.t
	claim := f.Claim(NewID(), "k1", "order-1")
	_, err := f.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	f.Complete(claim.SagaID)
	outcome, err := f.TryStart(claim, saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartExists, outcome.Kind)
	outcome, err = f.TryStart(f.Claim(NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind)
}

// startBoth starts two sagas in one batch, as far as they are free.
func (f *Fixture) startBoth(ctx context.Context, first, second record.StartClaim) map[string]record.StartOutcome {
	f.t.Helper()
	var outcomes map[string]record.StartOutcome
	batch := record.Batch{Starts: []record.StartClaim{first, second}}
	err := f.Transact(ctx, batch, func(l record.Loaded) (record.Changes, error) {
		outcomes = l.Starts
		var all record.Changes
		for _, claim := range batch.Starts {
			if l.Starts[claim.SagaID].Kind == record.StartFree {
				changes, err := f.Begin(l, saga.Start{ID: claim.SagaID, Key: claim.Key})
				require.NoError(f.t, err)
				all = join(all, changes)
			}
		}
		return all, nil
	})
	require.NoError(f.t, err)
	return outcomes
}

func twoClaimsOneKey(f *Fixture) {
	t := f.t
	first, same, other := f.Claim(NewID(), "k1", "order-1"), f.Claim(NewID(), "k1", "order-1"), f.Claim(NewID(), "k2", "")
	outcomes := f.startBoth(t.Context(), first, same)
	assert.Equal(t, record.StartFree, outcomes[first.SagaID].Kind)
	assert.Equal(t, record.StartOutcome{Kind: record.StartExists, Existing: first.SagaID}, outcomes[same.SagaID])

	another := f.Claim(NewID(), "k2", "")
	another.BodyHash = []byte("something else")
	outcomes = f.startBoth(t.Context(), other, another)
	assert.Equal(t, record.StartOutcome{Kind: record.StartConflict, Existing: other.SagaID}, outcomes[another.SagaID])
}

func twoClaimsOneRefusal(f *Fixture) {
	t := f.t
	holder := f.Start(saga.Start{Key: "order-1"})
	first, second := f.Claim(NewID(), "k1", "order-1"), f.Claim(NewID(), "k1", "order-1")
	outcomes := f.startBoth(t.Context(), first, second)
	inUse := record.StartOutcome{Kind: record.StartKeyInUse, Existing: holder.ID}
	assert.Equal(t, map[string]record.StartOutcome{first.SagaID: inUse, second.SagaID: inUse}, outcomes)
	f.Complete(holder.ID)
	outcome, err := f.TryStart(f.Claim(NewID(), "k1", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind)
}

func twoClaimsOneBusinessKey(f *Fixture) {
	t := f.t
	first, second := f.Claim(NewID(), "k2", "order-1"), f.Claim(NewID(), "k1", "order-1")
	outcomes := f.startBoth(t.Context(), first, second)
	assert.Equal(t, record.StartFree, outcomes[first.SagaID].Kind)
	assert.Equal(t, record.StartOutcome{Kind: record.StartKeyInUse, Existing: first.SagaID}, outcomes[second.SagaID])
	outcome, err := f.TryStart(f.Claim(NewID(), "k1", ""), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind, "the idempotency key stayed free")
}

func startNotMade(f *Fixture) {
	t := f.t
	batch := record.Batch{Starts: []record.StartClaim{f.Claim(NewID(), "k1", "order-1")}}
	err := f.Transact(t.Context(), batch, func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil })
	require.NoError(t, err)
	outcome, err := f.TryStart(f.Claim(NewID(), "k1", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind)
}

// lateEffect abandons a saga whose first step then reports its success, so that it can be reopened.
func (f *Fixture) lateEffect(key string) saga.Instance {
	f.t.Helper()
	in := f.Start(saga.Start{Key: key})
	in = f.Apply(in.ID, Do(saga.ActionAbandon))
	require.True(f.t, in.Status.Terminal())
	return f.Apply(in.ID, Succeed(in.ID, "reserve", `{}`))
}

func reopen() saga.Action {
	action := Do(saga.ActionCompensate)
	action.Step = "reserve"
	return action
}

func reopenedTakesKey(f *Fixture) {
	t := f.t
	in := f.lateEffect("order-1")
	in = f.Apply(in.ID, reopen())
	require.False(t, in.Status.Terminal())
	outcome, err := f.TryStart(f.Claim(NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartOutcome{Kind: record.StartKeyInUse, Existing: in.ID}, outcome)
}

func reopenedFindsKeyTaken(f *Fixture) {
	t := f.t
	in := f.lateEffect("order-1")
	other := f.Start(saga.Start{Key: "order-1"})
	f.Apply(in.ID, reopen())
	ended := f.Apply(in.ID, Compensated(in.ID, "reserve"))
	require.True(t, ended.Status.Terminal())
	outcome, err := f.TryStart(f.Claim(NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartOutcome{Kind: record.StartKeyInUse, Existing: other.ID}, outcome)
}

func reopenedTakesKeyLater(f *Fixture) {
	t := f.t
	in := f.lateEffect("order-1")
	other := f.Start(saga.Start{Key: "order-1"})
	in = f.Apply(in.ID, reopen())
	require.False(t, in.Status.Terminal())
	held := func() string {
		outcome, err := f.TryStart(f.Claim(NewID(), "", "order-1"), saga.Start{})
		require.NoError(t, err)
		require.Equal(t, record.StartKeyInUse, outcome.Kind)
		return outcome.Existing
	}
	assert.Equal(t, other.ID, held())
	in = f.Apply(in.ID, Do(saga.ActionPause))
	assert.Equal(t, other.ID, held(), "a write of the reopened saga does not take the key from its holder")
	f.Complete(other.ID)
	in = f.Apply(in.ID, Do(saga.ActionResume))
	require.False(t, in.Status.Terminal())
	assert.Equal(t, in.ID, held())
	ended := f.Apply(in.ID, Compensated(in.ID, "reserve"))
	require.True(t, ended.Status.Terminal())
	outcome, err := f.TryStart(f.Claim(NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind)
}

func newerVersion(f *Fixture) {
	t := f.t
	claim := f.Claim(NewID(), "", "")
	claim.Latest = true
	told := func(claim record.StartClaim) map[string]int {
		var newer map[string]int
		err := f.Transact(t.Context(), record.Batch{Starts: []record.StartClaim{claim}},
			func(l record.Loaded) (record.Changes, error) {
				newer = l.Newer
				return record.Changes{}, nil
			})
		require.NoError(t, err)
		return newer
	}
	assert.Empty(t, told(claim), "its version is the latest")
	other, _, err := f.PutDefinition(t.Context(), Definition(t, "order", `{"steps": [{"name": "a", "command": "a.do"}]}`))
	require.NoError(t, err)
	assert.Equal(t, map[string]int{"order": other.Version}, told(claim))
	claim.Latest = false
	assert.Empty(t, told(claim), "it names its version")
}
