package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Damage changes rows of a store in ways that its methods never do.
type Damage interface {
	// BreakSaga makes the row of a saga unreadable.
	BreakSaga(id string)
	// DropSaga deletes only the row of a saga.
	DropSaga(id string)
	// BreakDefinition makes the body of a version unreadable.
	BreakDefinition(name string, version int)
	// DropDefinition deletes the row of a version.
	DropDefinition(name string, version int)
}

// OpenDamaged opens an empty store with this lease for outbox rows, and returns what damages it.
type OpenDamaged func(t *testing.T, lease time.Duration) (Store, Damage)

// RunDamaged runs the rules that must hold even if some rows are broken or missing.
func RunDamaged(t *testing.T, open OpenDamaged) {
	t.Helper()
	rules := map[string]func(*Fixture, Damage){
		"a batch with an unreadable saga continues without it": unreadableInBatch,
		"an unreadable child names its parent":                 unreadableChild,
		"an unreadable saga is listed with its readable part":  unreadableListed,
		"an unreadable saga can be abandoned, once":            unreadableAbandoned,
		"a saga without its definition can be abandoned":       undefinedAbandoned,
		"an abandoned saga releases its business key":          abandonedFreesKey,
		"a broken row hides no other row":                      brokenHidesNothing,
		"an unreadable definition is listed as such":           brokenDefinitionListed,
		"a start by a missing definition is reported":          startUndefined,
		"orphans of the outbox become dead letters":            orphansBecomeLetters,
		"a watched unreadable saga hides no other change":      unreadableWatched,
	}
	for rule, test := range rules {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			store, damage := open(t, LongLease)
			test(NewFixture(t, store), damage)
		})
	}
}

func unreadableInBatch(f *Fixture, damage Damage) {
	t := f.t
	broken, sound := f.Start(saga.Start{}).ID, f.Start(saga.Start{}).ID
	damage.BreakSaga(broken)
	var loaded record.Loaded // of the last call: the first may use the cache
	err := f.Transact(t.Context(), record.Batch{SagaIDs: []string{broken, sound}}, func(l record.Loaded) (record.Changes, error) {
		loaded = l
		return f.Decide(l, sound, Succeed(sound, "reserve", `{}`))
	})
	require.NoError(t, err)
	require.ErrorIs(t, loaded.Unreadable[broken].Unreadable, record.ErrUnreadable)
	require.ErrorContains(t, loaded.Unreadable[broken].Unreadable, broken)
	assert.Equal(t, saga.Running, loaded.Unreadable[broken].Status, "its readable part is there")
	assert.Equal(t, "order", loaded.Unreadable[broken].Definition)
	assert.NotContains(t, loaded.Instances, broken)
	assert.Empty(t, loaded.Busy)
	assert.Equal(t, int64(2), f.Get(sound).Revision)
}

func unreadableChild(f *Fixture, damage Damage) {
	t := f.t
	want := &saga.Parent{Saga: NewID(), Step: "ship", Level: 2}
	child := f.Start(saga.Start{Parent: want}).ID
	damage.BreakSaga(child)
	found, err := f.Saga(t.Context(), child)
	require.NoError(t, err)
	assert.Equal(t, want, found.Parent)
	err = f.Transact(t.Context(), record.Batch{SagaIDs: []string{child}}, func(loaded record.Loaded) (record.Changes, error) {
		if broken, known := loaded.Unreadable[child]; known { // the first call may use the cache
			found = broken
		}
		return record.Changes{Abandoned: []record.Abandonment{{SagaID: child}}}, nil
	})
	require.NoError(t, err)
	assert.Equal(t, want, found.Parent)
	require.ErrorIs(t, found.Unreadable, record.ErrUnreadable)
}

func unreadableListed(f *Fixture, damage Damage) {
	t := f.t
	before := f.Start(saga.Start{Key: "order-1"})
	other := f.Start(saga.Start{})
	damage.BreakSaga(before.ID)
	one, err := f.Saga(t.Context(), before.ID)
	require.NoError(t, err)
	listed, _, err := f.Sagas(t.Context(), record.Filter{}, record.Page{})
	require.NoError(t, err)
	require.Len(t, listed, 2)
	assert.Equal(t, record.StoredSaga{Instance: other}, listed[0])
	for _, found := range []record.StoredSaga{one, listed[1]} {
		require.ErrorIs(t, found.Unreadable, record.ErrUnreadable)
		assert.Equal(t, before.ID, found.ID)
		assert.Equal(t, "order", found.Definition)
		assert.Equal(t, "order-1", found.Key)
		assert.Equal(t, before.CreatedAt, found.CreatedAt)
		require.Len(t, found.Steps, 3)
		assert.Equal(t, saga.StepState{Name: "reserve"}, found.Steps[0])
	}
}

func (f *Fixture) abandon(ids ...string) {
	f.t.Helper()
	var changes record.Changes
	for _, id := range ids {
		changes.Abandoned = append(changes.Abandoned, record.Abandonment{SagaID: id, Actor: "ada", Reason: "broken <row>", Action: "a"})
	}
	err := f.Transact(f.t.Context(), record.Batch{SagaIDs: ids},
		func(record.Loaded) (record.Changes, error) { return changes, nil })
	require.NoError(f.t, err)
}

func unreadableAbandoned(f *Fixture, damage Damage) {
	t := f.t
	in := f.Start(saga.Start{})
	damage.BreakSaga(in.ID)
	f.abandon(in.ID, NewID())
	f.abandon(in.ID)
	found, err := f.Saga(t.Context(), in.ID)
	require.NoError(t, err)
	assert.Equal(t, saga.Abandoned, found.Status)
	assert.Equal(t, in.Revision+1, found.Revision, "the second call changes nothing")
	assert.False(t, found.FinishedAt.IsZero())
	assert.Zero(t, found.WakeAt)
	assert.Nil(t, found.Attention)
	entries, _, err := f.History(t.Context(), in.ID, record.Page{})
	require.NoError(t, err)
	last := entries[len(entries)-1]
	assert.Equal(t, in.Entries+1, int64(len(entries)))
	assert.Equal(t, in.Entries+1, last.Seq)
	assert.Equal(t, saga.EntryAbandoned, last.Type)
	assert.Equal(t, "ada", last.Actor)
	assert.Equal(t, map[string]any{"reason": "broken <row>"}, last.Detail)
	due, err := f.Due(t.Context(), -24*time.Hour, record.DueSaga{}, 10)
	require.NoError(t, err)
	assert.Empty(t, due, "it does not wake again")
	rows, err := f.OutboxRows(t.Context(), in.ID)
	require.NoError(t, err)
	assert.Empty(t, rows, "it sends no command")
}

func undefinedAbandoned(f *Fixture, damage Damage) {
	t := f.t
	in := f.Apply(f.Start(saga.Start{}).ID, Do(saga.ActionPause))
	damage.DropDefinition("order", 1)
	f.abandon(in.ID)
	after := f.Get(in.ID)
	assert.Equal(t, saga.Abandoned, after.Status, "the usual rules apply")
	assert.Equal(t, "a", after.LastAction, "so that a repetition is known")
	after = f.Apply(in.ID, Succeed(in.ID, "reserve", `{}`))
	assert.Equal(t, saga.LateEffect, after.Attention.Reason, "the definition may be restored")
}

func abandonedFreesKey(f *Fixture, damage Damage) {
	t := f.t
	in := f.Start(saga.Start{Key: "order-1"})
	damage.BreakSaga(in.ID)
	outcome, err := f.TryStart(f.Claim(NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	require.Equal(t, record.StartKeyInUse, outcome.Kind)
	f.abandon(in.ID)
	outcome, err = f.TryStart(f.Claim(NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind)
}

// brokenHidesNothing makes every read while one saga is broken and another one's definition is missing.
func brokenHidesNothing(f *Fixture, damage Damage) {
	t := f.t
	other, _, err := f.PutDefinition(t.Context(), Definition(t, "gone", orderBody))
	require.NoError(t, err)
	elsewhere := *f
	elsewhere.Order = other.Definition
	undefined, broken, sound := elsewhere.Start(saga.Start{}), f.Start(saga.Start{}), f.Start(saga.Start{})
	damage.BreakSaga(broken.ID)
	damage.DropDefinition("gone", 1)
	var ids []saga.CommandID
	for _, in := range []saga.Instance{undefined, broken, sound} {
		ids = append(ids, Execute(in.ID, "reserve"))
	}
	require.NoError(t, f.ReleaseOutbox(t.Context(), ids))
	loads, err := f.QueueLoads(t.Context())
	require.NoError(t, err)
	require.Len(t, loads, 1)
	assert.Equal(t, int64(3), loads[0].Unpublished)
	assert.Positive(t, loads[0].CommandsOut)
	for _, in := range []saga.Instance{undefined, broken, sound} {
		rows, err := f.OutboxRows(t.Context(), in.ID)
		require.NoError(t, err)
		assert.Len(t, rows, 1)
		entries, _, err := f.History(t.Context(), in.ID, record.Page{})
		require.NoError(t, err)
		assert.NotEmpty(t, entries)
	}
	stats, err := f.Stats(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, int64(3), stats.OutboxPending)
	commands, _ := f.claim(1)
	require.Len(t, commands, 1, "a command that cannot be published does not block the others")
	all := commandIDs(commands)
	commands, _ = f.claim(10)
	assert.Contains(t, append(all, commandIDs(commands)...), Execute(sound.ID, "reserve").String())
}

func brokenDefinitionListed(f *Fixture, damage Damage) {
	t := f.t
	_, _, err := f.PutDefinition(t.Context(), Definition(t, "pay", otherBody))
	require.NoError(t, err)
	damage.BreakDefinition("order", 1)
	_, err = f.Definition(t.Context(), "order", 1)
	require.ErrorIs(t, err, record.ErrUnreadable)
	_, err = f.LatestDefinition(t.Context(), "order")
	require.ErrorIs(t, err, record.ErrUnreadable)
	latest, _, err := f.Definitions(t.Context(), record.Page{})
	require.NoError(t, err)
	versions, _, err := f.DefinitionVersions(t.Context(), "order", record.Page{})
	require.NoError(t, err)
	require.Len(t, latest, 2)
	require.NoError(t, latest[1].Unreadable)
	for _, d := range []record.RegisteredDefinition{latest[0], versions[0]} {
		require.ErrorIs(t, d.Unreadable, record.ErrUnreadable)
		assert.Equal(t, "order", d.Name)
		assert.Equal(t, 1, d.Version)
		assert.False(t, d.CreatedAt.IsZero())
	}
	again, created, err := f.PutDefinition(t.Context(), Definition(t, "order", orderBody))
	require.NoError(t, err)
	assert.True(t, created)
	assert.Equal(t, 2, again.Version, "a readable version follows")
}

func startUndefined(f *Fixture, damage Damage) {
	t := f.t
	f.Start(saga.Start{}) // so that the clock is known
	damage.DropDefinition("order", 1)
	for range 2 {
		outcome, err := f.TryStart(f.Claim(NewID(), "k", "order-1"), saga.Start{})
		require.NoError(t, err)
		assert.Equal(t, record.StartOutcome{Kind: record.StartUndefined}, outcome)
	}
	registered, _, err := f.PutDefinition(t.Context(), Definition(t, "order", orderBody))
	require.NoError(t, err)
	require.Equal(t, 1, registered.Version)
	outcome, err := f.TryStart(f.Claim(NewID(), "k", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind, "the keys are free")
}

func orphansBecomeLetters(f *Fixture, damage Damage) {
	t := f.t
	var orphans []saga.CommandID
	for range 40 {
		orphans = append(orphans, Execute(f.Start(saga.Start{}).ID, "reserve"))
	}
	sound := Execute(f.Start(saga.Start{}).ID, "reserve")
	require.NoError(t, f.ReleaseOutbox(t.Context(), append(orphans, sound)))
	for _, id := range orphans {
		damage.DropSaga(id.Saga)
	}
	commands, err := f.claim(4)
	require.NoError(t, err)
	assert.Equal(t, []string{sound.String()}, commandIDs(commands), "orphans hide no other command")
	letters, _, err := f.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{})
	require.NoError(t, err)
	require.Len(t, letters, len(orphans))
	letter, err := f.DeadLetter(t.Context(), letters[0].ID)
	require.NoError(t, err)
	assert.Equal(t, record.ReasonOrphan, letter.Reason)
	assert.Equal(t, record.SourceCommand, letter.Source)
	assert.Equal(t, "inventory", letter.Queue)
	assert.Equal(t, letter.SagaID+"/reserve/execute/1", letter.CommandID)
	assert.NotEmpty(t, letter.Body)
}

func unreadableWatched(f *Fixture, damage Damage) {
	t := f.t
	broken, sound := f.Start(saga.Start{}), f.Start(saga.Start{})
	damage.BreakSaga(broken.ID)
	changed, err := f.Changed(t.Context(), map[string]int64{broken.ID: 0, sound.ID: 0})
	require.NoError(t, err)
	assert.Equal(t, []saga.Instance{sound}, changed)
}
