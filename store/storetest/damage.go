package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// Damage does to the rows of a store what its methods never do.
type Damage interface {
	// BreakSaga makes the row of a saga unreadable.
	BreakSaga(id string)
	// DropSaga deletes the row of a saga, and nothing else.
	DropSaga(id string)
	// BreakDefinition makes the body of a version unreadable.
	BreakDefinition(name string, version int)
	// DropDefinition deletes the row of a version.
	DropDefinition(name string, version int)
}

// OpenDamaged makes an empty store whose outbox leases last that long, and what damages it.
type OpenDamaged func(t *testing.T, lease time.Duration) (Store, Damage)

// RunDamaged holds stores to what must still hold when some of their rows are broken or gone.
func RunDamaged(t *testing.T, open OpenDamaged) {
	t.Helper()
	rules := map[string]func(*World, Damage){
		"a batch with an unreadable saga goes on without it":     unreadableInBatch,
		"an unreadable saga is listed with what is known of it":  unreadableListed,
		"an unreadable saga can be abandoned, once":              unreadableAbandoned,
		"a saga whose definition is gone can be abandoned":       undefinedAbandoned,
		"an abandoned saga gives its business key back":          abandonedFreesKey,
		"a broken row hides nothing else":                        brokenHidesNothing,
		"a definition that cannot be read is listed as such":     brokenDefinitionListed,
		"a start by a definition that is gone is told so":        startUndefined,
		"the orphans of the outbox become dead letters":          orphansBecomeLetters,
		"an unreadable saga that is watched hides no other news": unreadableWatched,
	}
	for rule, test := range rules {
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			store, damage := open(t, LongLease)
			test(NewWorld(t, store), damage)
		})
	}
}

func unreadableInBatch(w *World, damage Damage) {
	t := w.t
	broken, sound := w.Start(saga.Start{}).ID, w.Start(saga.Start{}).ID
	damage.BreakSaga(broken)
	var loaded record.Loaded // at last: the first time may be on what is cached
	err := w.Transact(t.Context(), record.Batch{SagaIDs: []string{broken, sound}}, func(l record.Loaded) (record.Changes, error) {
		loaded = l
		return w.Decide(l, sound, Succeed(sound, "reserve", `{}`))
	})
	require.NoError(t, err)
	require.ErrorIs(t, loaded.Unreadable[broken], record.ErrUnreadable)
	require.ErrorContains(t, loaded.Unreadable[broken], broken)
	assert.NotContains(t, loaded.Instances, broken)
	assert.Empty(t, loaded.Busy)
	assert.Equal(t, int64(2), w.Get(sound).Revision)
}

func unreadableListed(w *World, damage Damage) {
	t := w.t
	before := w.Start(saga.Start{Key: "order-1"})
	other := w.Start(saga.Start{})
	damage.BreakSaga(before.ID)
	one, err := w.Saga(t.Context(), before.ID)
	require.NoError(t, err)
	listed, _, err := w.Sagas(t.Context(), record.Filter{}, record.Page{})
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

func (w *World) abandon(ids ...string) {
	w.t.Helper()
	var changes record.Changes
	for _, id := range ids {
		changes.Abandoned = append(changes.Abandoned, record.Abandonment{SagaID: id, Actor: "somebody", Reason: "broken <row>"})
	}
	err := w.Transact(w.t.Context(), record.Batch{SagaIDs: ids},
		func(record.Loaded) (record.Changes, error) { return changes, nil })
	require.NoError(w.t, err)
}

func unreadableAbandoned(w *World, damage Damage) {
	t := w.t
	in := w.Start(saga.Start{})
	damage.BreakSaga(in.ID)
	w.abandon(in.ID, NewID())
	w.abandon(in.ID)
	found, err := w.Saga(t.Context(), in.ID)
	require.NoError(t, err)
	assert.Equal(t, saga.Abandoned, found.Status)
	assert.Equal(t, in.Revision+1, found.Revision, "the second time changes nothing")
	assert.False(t, found.FinishedAt.IsZero())
	assert.Zero(t, found.WakeAt)
	assert.Nil(t, found.Attention)
	entries, _, err := w.History(t.Context(), in.ID, record.Page{})
	require.NoError(t, err)
	last := entries[len(entries)-1]
	assert.Equal(t, in.Entries+1, int64(len(entries)))
	assert.Equal(t, in.Entries+1, last.Seq)
	assert.Equal(t, saga.EntryAbandoned, last.Type)
	assert.Equal(t, "somebody", last.Actor)
	assert.Equal(t, map[string]any{"reason": "broken <row>"}, last.Detail)
	due, err := w.Due(t.Context(), -24*time.Hour, record.DueSaga{}, 10)
	require.NoError(t, err)
	assert.Empty(t, due, "it wakes no more")
	rows, err := w.OutboxRows(t.Context(), in.ID)
	require.NoError(t, err)
	assert.Empty(t, rows, "and sends no more")
}

func undefinedAbandoned(w *World, damage Damage) {
	t := w.t
	in := w.Apply(w.Start(saga.Start{}).ID, Do(saga.ActionPause))
	damage.DropDefinition("order", 1)
	w.abandon(in.ID)
	after := w.Get(in.ID)
	assert.Equal(t, saga.Abandoned, after.Status, "and all that holds of every saga holds of it")
	after = w.Apply(in.ID, Succeed(in.ID, "reserve", `{}`))
	assert.Equal(t, saga.LateEffect, after.Attention.Reason, "the definition may come back")
}

func abandonedFreesKey(w *World, damage Damage) {
	t := w.t
	in := w.Start(saga.Start{Key: "order-1"})
	damage.BreakSaga(in.ID)
	outcome, err := w.TryStart(w.Claim(NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	require.Equal(t, record.StartKeyInUse, outcome.Kind)
	w.abandon(in.ID)
	outcome, err = w.TryStart(w.Claim(NewID(), "", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind)
}

// brokenHidesNothing reads everything that there is to read while one saga is broken and another's definition is gone.
func brokenHidesNothing(w *World, damage Damage) {
	t := w.t
	other, _, err := w.PutDefinition(t.Context(), Definition(t, "gone", orderBody))
	require.NoError(t, err)
	elsewhere := *w
	elsewhere.Plan = other.Definition
	undefined, broken, sound := elsewhere.Start(saga.Start{}), w.Start(saga.Start{}), w.Start(saga.Start{})
	damage.BreakSaga(broken.ID)
	damage.DropDefinition("gone", 1)
	var ids []saga.CommandID
	for _, in := range []saga.Instance{undefined, broken, sound} {
		ids = append(ids, Execute(in.ID, "reserve"))
	}
	require.NoError(t, w.ReleaseOutbox(t.Context(), ids))
	loads, err := w.QueueLoads(t.Context())
	require.NoError(t, err)
	require.Len(t, loads, 1)
	assert.Equal(t, int64(3), loads[0].Unpublished)
	assert.Positive(t, loads[0].CommandsOut)
	for _, in := range []saga.Instance{undefined, broken, sound} {
		rows, err := w.OutboxRows(t.Context(), in.ID)
		require.NoError(t, err)
		assert.Len(t, rows, 1)
		entries, _, err := w.History(t.Context(), in.ID, record.Page{})
		require.NoError(t, err)
		assert.NotEmpty(t, entries)
	}
	stats, err := w.Stats(t.Context())
	require.NoError(t, err)
	assert.Equal(t, int64(3), stats.OutboxPending)
	commands, _ := w.claim(1)
	require.Len(t, commands, 1, "a command that cannot be published does not stand before the others")
	all := commandIDs(commands)
	commands, _ = w.claim(10)
	assert.Contains(t, append(all, commandIDs(commands)...), Execute(sound.ID, "reserve").String())
}

func brokenDefinitionListed(w *World, damage Damage) {
	t := w.t
	_, _, err := w.PutDefinition(t.Context(), Definition(t, "pay", otherBody))
	require.NoError(t, err)
	damage.BreakDefinition("order", 1)
	_, err = w.Definition(t.Context(), "order", 1)
	require.ErrorIs(t, err, record.ErrUnreadable)
	_, err = w.LatestDefinition(t.Context(), "order")
	require.ErrorIs(t, err, record.ErrUnreadable)
	latest, _, err := w.Definitions(t.Context(), record.Page{})
	require.NoError(t, err)
	versions, _, err := w.DefinitionVersions(t.Context(), "order", record.Page{})
	require.NoError(t, err)
	require.Len(t, latest, 2)
	require.NoError(t, latest[1].Unreadable)
	for _, d := range []record.RegisteredDefinition{latest[0], versions[0]} {
		require.ErrorIs(t, d.Unreadable, record.ErrUnreadable)
		assert.Equal(t, "order", d.Name)
		assert.Equal(t, 1, d.Version)
		assert.False(t, d.CreatedAt.IsZero())
	}
	again, created, err := w.PutDefinition(t.Context(), Definition(t, "order", orderBody))
	require.NoError(t, err)
	assert.True(t, created)
	assert.Equal(t, 2, again.Version, "a version that can be read follows")
}

func startUndefined(w *World, damage Damage) {
	t := w.t
	w.Start(saga.Start{}) // and so Postgres need not be asked the time
	damage.DropDefinition("order", 1)
	for range 2 {
		outcome, err := w.TryStart(w.Claim(NewID(), "k", "order-1"), saga.Start{})
		require.NoError(t, err)
		assert.Equal(t, record.StartOutcome{Kind: record.StartUndefined}, outcome)
	}
	registered, _, err := w.PutDefinition(t.Context(), Definition(t, "order", orderBody))
	require.NoError(t, err)
	require.Equal(t, 1, registered.Version)
	outcome, err := w.TryStart(w.Claim(NewID(), "k", "order-1"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind, "the keys are free")
}

func orphansBecomeLetters(w *World, damage Damage) {
	t := w.t
	var orphans []saga.CommandID
	for range 40 {
		orphans = append(orphans, Execute(w.Start(saga.Start{}).ID, "reserve"))
	}
	sound := Execute(w.Start(saga.Start{}).ID, "reserve")
	require.NoError(t, w.ReleaseOutbox(t.Context(), append(orphans, sound)))
	for _, id := range orphans {
		damage.DropSaga(id.Saga)
	}
	commands, err := w.claim(4)
	require.NoError(t, err)
	assert.Equal(t, []string{sound.String()}, commandIDs(commands), "they hide nothing, however many they are")
	letters, _, err := w.DeadLetters(t.Context(), record.Page{})
	require.NoError(t, err)
	require.Len(t, letters, len(orphans))
	letter, err := w.DeadLetter(t.Context(), letters[0].ID)
	require.NoError(t, err)
	assert.Equal(t, record.ReasonOrphan, letter.Reason)
	assert.Equal(t, record.SourceCommand, letter.Source)
	assert.Equal(t, "inventory", letter.Queue)
	assert.Equal(t, letter.SagaID+"/reserve/execute/1", letter.CommandID)
	assert.NotEmpty(t, letter.Body)
}

func unreadableWatched(w *World, damage Damage) {
	t := w.t
	broken, sound := w.Start(saga.Start{}), w.Start(saga.Start{})
	damage.BreakSaga(broken.ID)
	changed, err := w.Changed(t.Context(), map[string]int64{broken.ID: 0, sound.ID: 0})
	require.NoError(t, err)
	assert.Equal(t, []saga.Instance{sound}, changed)
}
