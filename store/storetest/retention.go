package storetest

import (
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func retentionRules() map[string]rule {
	return map[string]rule{
		"old sagas go with their histories":        with(oldSagasGo),
		"what must stay stays":                     with(neededSagasStay),
		"what changed since it was read stays":     with(changedSagasStay),
		"beyond a number the oldest go":            with(oldestSagasGo),
		"the age counts from the end":              with(ageCounts),
		"pages of old sagas":                       with(expiredPages),
		"an idempotency key outlives its saga":     with(keyOutlivesSaga),
		"an idempotency key goes after its time":   with(keyGoes),
		"a saga with its history, for the archive": with(sagaForArchive),
		"a lease has one holder":                   with(leaseHasOneHolder),
	}
}

func completed() []saga.Status { return []saga.Status{saga.Completed} }

func turned() []saga.Status { return []saga.Status{saga.Compensated, saga.Abandoned} }

// ended selects every saga of the statuses that has ended.
func (f *Fixture) ended(statuses []saga.Status) record.Expiry {
	return record.Expiry{Definition: f.Order.Name, Statuses: statuses, Before: time.Now().Add(time.Hour)}
}

// sent confirms all commands.
func (f *Fixture) sent(id string) {
	f.t.Helper()
	f.confirm(Execute(id, "reserve"), Execute(id, "charge"), Execute(id, "confirm"))
}

// finished runs a saga to completion.
func (f *Fixture) finished(start saga.Start) string {
	f.t.Helper()
	id := f.Start(start).ID
	f.Complete(id)
	f.sent(id)
	return id
}

// compensated runs a saga that compensates nothing.
func (f *Fixture) compensated() string {
	f.t.Helper()
	id := f.Start(saga.Start{}).ID
	require.Equal(f.t, saga.Compensated, f.Apply(id, Fail(id, "reserve")).Status)
	f.sent(id)
	return id
}

// abandoned returns an abandoned saga of which nothing is out.
func (f *Fixture) abandoned() string {
	f.t.Helper()
	id := f.Start(saga.Start{}).ID
	f.sent(id)
	f.Apply(id, Do(saga.ActionAbandon))
	return id
}

func (f *Fixture) delete(deletion record.Deletion) (sagas, keys int) {
	f.t.Helper()
	sagas, keys, err := f.DeleteSagas(f.t.Context(), deletion)
	require.NoError(f.t, err)
	return sagas, keys
}

func (f *Fixture) gone(id string) bool {
	_, err := f.Saga(f.t.Context(), id)
	if err != nil {
		require.ErrorIs(f.t, err, record.ErrSagaNotFound)
	}
	return err != nil
}

// expired returns every id that the expiry selects.
func (f *Fixture) expired(expiry record.Expiry) (ids []string) {
	f.t.Helper()
	for _, status := range expiry.Statuses {
		after := ""
		for {
			some, next, err := f.Expired(f.t.Context(), expiry, status, after, 2)
			require.NoError(f.t, err)
			require.LessOrEqual(f.t, len(some), 2)
			if ids = append(ids, some...); next == "" {
				break
			}
			after = next
		}
	}
	return ids
}

func oldSagasGo(f *Fixture) {
	first, second, other := f.finished(saga.Start{Key: "k"}), f.compensated(), f.finished(saga.Start{})
	sagas, _ := f.delete(record.Deletion{Expiry: f.ended(completed()), IDs: []string{first, second, first}})
	assert.Equal(f.t, 1, sagas)
	assert.True(f.t, f.gone(first))
	_, _, err := f.History(f.t.Context(), first, record.Page{})
	require.ErrorIs(f.t, err, record.ErrSagaNotFound)
	assert.False(f.t, f.gone(second), "another outcome")
	assert.False(f.t, f.gone(other), "not asked for")
	sagas, _ = f.delete(record.Deletion{Expiry: f.ended(turned()), IDs: []string{second}})
	assert.Equal(f.t, 1, sagas)
	found, _, err := f.Sagas(f.t.Context(), record.Filter{}, record.Page{Limit: 10})
	require.NoError(f.t, err)
	require.Len(f.t, found, 1)
	assert.Equal(f.t, other, found[0].ID)
	again := f.Start(saga.Start{ID: first})
	assert.Equal(f.t, saga.Running, again.Status, "nothing is left of a deleted saga")
}

func neededSagasStay(f *Fixture) {
	running := f.Start(saga.Start{}).ID
	late := f.abandoned()
	require.NotNil(f.t, f.Apply(late, Succeed(late, "reserve", `{}`)).Attention)
	waiting := f.Start(saga.Start{}).ID // its command is in the outbox
	f.Apply(waiting, Do(saga.ActionAbandon))
	young := f.abandoned()
	all := f.ended(saga.Statuses())
	sagas, _ := f.delete(record.Deletion{Expiry: all, IDs: []string{running, late, waiting}})
	assert.Zero(f.t, sagas)
	all.Before = time.Now().Add(-time.Hour)
	sagas, _ = f.delete(record.Deletion{Expiry: all, IDs: []string{young}})
	assert.Zero(f.t, sagas)
	all.Definition, all.Before = "other", time.Now().Add(time.Hour)
	sagas, _ = f.delete(record.Deletion{Expiry: all, IDs: []string{young}})
	assert.Zero(f.t, sagas)
	for _, id := range []string{running, late, waiting, young} {
		assert.False(f.t, f.gone(id))
	}
}

func changedSagasStay(f *Fixture) {
	same, changed := f.abandoned(), f.abandoned()
	read, err := f.WithHistory(f.t.Context(), []string{same, changed})
	require.NoError(f.t, err)
	require.Len(f.t, read, 2)
	f.Apply(changed, Succeed(changed, "reserve", `{}`))
	f.Apply(changed, Do(saga.ActionAcknowledge))
	require.Nil(f.t, f.Get(changed).Attention)
	sagas, _ := f.delete(record.Deletion{
		Expiry: f.ended(turned()), IDs: []string{same, changed}, Versions: []string{read[0].Version, read[1].Version},
	})
	assert.Equal(f.t, 1, sagas)
	assert.True(f.t, f.gone(same))
	assert.False(f.t, f.gone(changed))
}

func oldestSagasGo(f *Fixture) {
	var done, other []string
	for range 5 {
		done = append(done, f.finished(saga.Start{}))
		other = append(other, f.compensated(), f.abandoned())
		f.Start(saga.Start{})
	}
	for count := 1; count <= 11; count++ {
		for _, outcome := range []struct {
			statuses []saga.Status
			ids      []string
		}{{completed(), done}, {turned(), other}} {
			expiry, err := f.Expiry(f.t.Context(), record.RetentionRule{Definition: f.Order.Name, Statuses: outcome.statuses, Count: count})
			require.NoError(f.t, err)
			assert.ElementsMatch(f.t, outcome.ids[:max(0, len(outcome.ids)-count)], f.expired(expiry), "the newest %d stay", count)
		}
	}
	expiry, err := f.Expiry(f.t.Context(), record.RetentionRule{Definition: f.Order.Name, Statuses: turned(), Count: 3})
	require.NoError(f.t, err)
	sagas, _ := f.delete(record.Deletion{Expiry: expiry, IDs: append(done, other...)})
	assert.Equal(f.t, 7, sagas)
}

func ageCounts(f *Fixture) {
	id := f.finished(saga.Start{})
	expiry, err := f.Expiry(f.t.Context(), record.RetentionRule{Definition: f.Order.Name, Statuses: completed(), Age: time.Hour})
	require.NoError(f.t, err)
	assert.WithinDuration(f.t, time.Now().Add(-time.Hour), expiry.Before, time.Minute)
	assert.Empty(f.t, f.expired(expiry))
	expiry, err = f.Expiry(f.t.Context(), record.RetentionRule{Definition: f.Order.Name, Statuses: completed(), Age: time.Microsecond})
	require.NoError(f.t, err)
	assert.Equal(f.t, []string{id}, f.expired(expiry), "it has just ended")
	expiry.Before = f.Get(id).FinishedAt
	assert.Empty(f.t, f.expired(expiry), "it ended at that time, not before")
	none, err := f.Expiry(f.t.Context(), record.RetentionRule{Definition: f.Order.Name, Statuses: completed()})
	require.NoError(f.t, err)
	assert.Empty(f.t, f.expired(none), "without limits")
}

func expiredPages(f *Fixture) {
	var ids []string
	for range 5 {
		ids = append(ids, f.finished(saga.Start{}))
	}
	assert.Equal(f.t, ids, f.expired(f.ended(completed())))
}

func keyOutlivesSaga(f *Fixture) {
	claim := f.Claim(NewID(), "key", "")
	_, err := f.TryStart(claim, saga.Start{})
	require.NoError(f.t, err)
	f.Complete(claim.SagaID)
	f.sent(claim.SagaID)
	sagas, keys := f.delete(record.Deletion{Expiry: f.ended(completed()), IDs: []string{claim.SagaID}, KeepKeys: time.Hour})
	assert.Equal(f.t, [2]int{1, 0}, [2]int{sagas, keys})
	again := f.Claim(NewID(), "key", "")
	outcome, err := f.TryStart(again, saga.Start{})
	require.NoError(f.t, err)
	assert.Equal(f.t, record.StartOutcome{Kind: record.StartGone, Existing: claim.SagaID}, outcome)
	assert.True(f.t, f.gone(again.SagaID))
	again.BodyHash = []byte("other")
	outcome, err = f.TryStart(again, saga.Start{})
	require.NoError(f.t, err)
	assert.Equal(f.t, record.StartConflict, outcome.Kind)

	deleted, err := f.ExpireKeys(f.t.Context(), time.Hour, 10)
	require.NoError(f.t, err)
	assert.Zero(f.t, deleted, "it is not old yet")
	deleted, err = f.ExpireKeys(f.t.Context(), time.Microsecond, 10)
	require.NoError(f.t, err)
	assert.Equal(f.t, 1, deleted)
	outcome, err = f.TryStart(again, saga.Start{})
	require.NoError(f.t, err)
	assert.Equal(f.t, record.StartFree, outcome.Kind)
	deleted, err = f.ExpireKeys(f.t.Context(), time.Microsecond, 10)
	require.NoError(f.t, err)
	assert.Zero(f.t, deleted, "the key of a saga that is there stays")
}

func keyGoes(f *Fixture) {
	claim := f.Claim(NewID(), "key", "")
	_, err := f.TryStart(claim, saga.Start{})
	require.NoError(f.t, err)
	f.Complete(claim.SagaID)
	f.sent(claim.SagaID)
	sagas, keys := f.delete(record.Deletion{Expiry: f.ended(completed()), IDs: []string{claim.SagaID}, KeepKeys: time.Microsecond})
	assert.Equal(f.t, [2]int{1, 1}, [2]int{sagas, keys}, "its time is over when its saga goes")
	outcome, err := f.TryStart(f.Claim(NewID(), "key", ""), saga.Start{})
	require.NoError(f.t, err)
	assert.Equal(f.t, record.StartFree, outcome.Kind)
}

func sagaForArchive(f *Fixture) {
	first, second := f.finished(saga.Start{Labels: map[string]string{"a": "b"}}), f.abandoned()
	waiting := f.Start(saga.Start{}).ID
	f.Apply(waiting, Do(saga.ActionAbandon))
	read, err := f.WithHistory(f.t.Context(), []string{first, NewID(), second, waiting})
	require.NoError(f.t, err)
	require.Len(f.t, read, 2, "a saga with a command in the outbox is not archived before it can be deleted")
	for i, id := range []string{first, second} {
		assert.Equal(f.t, f.Get(id), read[i].Instance)
		entries, _, err := f.History(f.t.Context(), id, record.Page{})
		require.NoError(f.t, err)
		assert.Equal(f.t, entries, read[i].History)
	}
}

func leaseHasOneHolder(f *Fixture) {
	hold := func(holder string, lease time.Duration) bool {
		held, err := f.HoldLease(f.t.Context(), "work", holder, lease)
		require.NoError(f.t, err)
		return held
	}
	assert.True(f.t, hold("a", time.Hour))
	assert.True(f.t, hold("a", time.Hour), "renewed")
	assert.False(f.t, hold("b", time.Hour))
	assert.True(f.t, hold("a", -time.Second))
	assert.True(f.t, hold("b", time.Hour), "the lease is over")
	assert.False(f.t, hold("a", time.Hour))
}
