package storetest

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

var errChangedMind = errors.New("changed my mind")

func transactRules() map[string]rule {
	return map[string]rule{
		"a decision is stored completely":                           with(storesAll),
		"an error of decide is returned, and no change is written":  with(decideErrorWritesNothing),
		"a rejected change leaves no trace":                         with(refusedChangeWritesNothing),
		"an update that was not loaded is refused":                  with(updateNeedsLoad),
		"an update does not lower the revision":                     with(updateKeepsRevision),
		"missing sagas are not loaded":                              with(missingSagas),
		"the clock is UTC in microseconds and never runs backwards": with(clock),
		"a batch holds many sagas":                                  with(manySagas),
		"the store shares no memory with its callers":               with(deepValues),
		"an ended context writes no change":                         with(endedContext),
		"impossible ids are not found, without an error":            with(impossibleIDs),
		"several changes of a saga in one batch are one update":     with(severalChanges),
		"unpublished commands are reported on request":              with(unpublished),
	}
}

func storesAll(f *Fixture) {
	t := f.t
	in := f.Start(saga.Start{
		Key: "order-1", Data: []byte(`{"orderId":"1"}`), Priority: 7, Labels: map[string]string{"region": "eu"},
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Deadline: time.Hour, Actor: "me",
	})
	id := in.ID
	var decided record.Changes
	err := f.Transact(t.Context(), record.Batch{SagaIDs: []string{id}}, func(l record.Loaded) (record.Changes, error) {
		assert.Equal(t, in, l.Instances[id])
		var err error
		decided, err = f.Decide(l, id, Succeed(id, "reserve", `{"reservationId":"r-7"}`), Fail(id, "charge"))
		return decided, err
	})
	require.NoError(t, err)

	assert.Equal(t, decided.Updated[0], f.Get(id))
	assert.Equal(t, saga.Compensating, f.Get(id).Status)
	rows, err := f.OutboxRows(t.Context(), id)
	require.NoError(t, err)
	assert.Len(t, rows, 3, "execute reserve, execute charge, compensate reserve")
	entries, _, err := f.History(t.Context(), id, record.Page{})
	require.NoError(t, err)
	assert.Len(t, entries, int(f.Get(id).Entries))
	assert.Equal(t, decided.Entries[0].Type, entries[len(entries)-len(decided.Entries)].Type)
}

func decideErrorWritesNothing(f *Fixture) {
	t := f.t
	before := f.Start(saga.Start{})
	letter := record.DeadLetter{ID: NewID(), Source: record.SourceReply, Body: []byte("?")}
	batch := record.Batch{
		SagaIDs: []string{before.ID}, Confirmed: []saga.CommandID{Execute(before.ID, "reserve")},
		Starts: []record.StartClaim{f.Claim(NewID(), "k", "key")}, DeadLetters: []record.DeadLetter{letter},
	}
	err := f.Transact(t.Context(), batch, func(record.Loaded) (record.Changes, error) {
		return record.Changes{}, errChangedMind
	})
	require.ErrorIs(t, err, errChangedMind)

	assert.Equal(t, before, f.Get(before.ID))
	rows, err := f.OutboxRows(t.Context(), before.ID)
	require.NoError(t, err)
	assert.Len(t, rows, 1)
	_, err = f.DeadLetter(t.Context(), letter.ID)
	require.ErrorIs(t, err, record.ErrDeadLetterNotFound)
	outcome, err := f.TryStart(f.Claim(NewID(), "k", "key"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind, "the keys are free again")
}

func refusedChangeWritesNothing(f *Fixture) {
	t := f.t
	before := f.Start(saga.Start{})
	other := NewID()
	batch := record.Batch{SagaIDs: []string{before.ID}, Starts: []record.StartClaim{f.Claim(other, "k", "")}}
	err := f.Transact(t.Context(), batch, func(l record.Loaded) (record.Changes, error) {
		changes, err := f.Begin(l, saga.Start{ID: other})
		require.NoError(t, err)
		more, err := f.Decide(l, before.ID, Succeed(before.ID, "reserve", `{}`))
		require.NoError(t, err)
		changes.Updated, changes.Commands = more.Updated, append(changes.Commands, more.Commands...)
		changes.Entries = append(changes.Entries, more.Entries...)
		changes.Entries = append(changes.Entries, record.Entry{SagaID: before.ID, Entry: saga.Entry{ // already stored
			Seq: 1, At: l.Now, Type: saga.EntryStarted,
		}})
		return changes, nil
	})
	require.ErrorIs(t, err, record.ErrRejected)

	assert.Equal(t, before, f.Get(before.ID))
	_, err = f.Saga(t.Context(), other)
	require.ErrorIs(t, err, record.ErrSagaNotFound)
	outcome, err := f.TryStart(f.Claim(other, "k", ""), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind)
}

func updateNeedsLoad(f *Fixture) {
	t := f.t
	before := f.Start(saga.Start{})
	next := before
	next.Revision++
	err := f.Transact(t.Context(), record.Batch{}, func(record.Loaded) (record.Changes, error) {
		return record.Changes{Updated: []saga.Instance{next}}, nil
	})
	require.ErrorIs(t, err, record.ErrRejected)
	assert.Equal(t, before, f.Get(before.ID))
}

func updateKeepsRevision(f *Fixture) {
	t := f.t
	before := f.Start(saga.Start{})
	before = f.Apply(before.ID, Succeed(before.ID, "reserve", `{}`))
	update := func(next saga.Instance) error {
		return f.Transact(t.Context(), record.Batch{SagaIDs: []string{before.ID}},
			func(record.Loaded) (record.Changes, error) {
				return record.Changes{Updated: []saga.Instance{next}}, nil
			})
	}
	back := before
	back.Revision--
	require.ErrorIs(t, update(back), record.ErrRejected)
	assert.Equal(t, before, f.Get(before.ID))
	woken := before
	woken.WakeAt = before.WakeAt.Add(-time.Second)
	require.NoError(t, update(woken), "a changed wake time alone keeps the revision")
	assert.Equal(t, woken, f.Get(before.ID))
}

func missingSagas(f *Fixture) {
	t := f.t
	there := f.Start(saga.Start{})
	batch := record.Batch{SagaIDs: []string{NewID(), there.ID}, WithOutbox: []string{NewID()}}
	err := f.Transact(t.Context(), batch, func(l record.Loaded) (record.Changes, error) {
		assert.Equal(t, map[string]saga.Instance{there.ID: there}, l.Instances)
		assert.Empty(t, l.Unpublished)
		assert.Empty(t, l.Starts)
		return record.Changes{}, nil
	})
	require.NoError(t, err)
}

func clock(f *Fixture) {
	t := f.t
	var last time.Time
	for range 3 {
		err := f.Transact(t.Context(), record.Batch{}, func(l record.Loaded) (record.Changes, error) {
			assert.Equal(t, time.UTC, l.Now.Location())
			assert.Equal(t, l.Now.Truncate(time.Microsecond), l.Now)
			assert.False(t, l.Now.Before(last))
			last = l.Now
			return record.Changes{}, nil
		})
		require.NoError(t, err)
	}
}

func manySagas(f *Fixture) {
	t := f.t
	const n = 300
	var batch record.Batch
	for range n {
		batch.Starts = append(batch.Starts, f.Claim(NewID(), NewID(), NewID()))
	}
	err := f.Transact(t.Context(), batch, func(l record.Loaded) (record.Changes, error) {
		var all record.Changes
		for _, claim := range batch.Starts {
			require.Equal(t, record.StartFree, l.Starts[claim.SagaID].Kind)
			changes, err := f.Begin(l, saga.Start{ID: claim.SagaID, Key: claim.Key})
			require.NoError(t, err)
			all = join(all, changes)
		}
		return all, nil
	})
	require.NoError(t, err)

	next := record.Batch{}
	for _, claim := range batch.Starts {
		next.SagaIDs = append(next.SagaIDs, claim.SagaID)
		next.Confirmed = append(next.Confirmed, Execute(claim.SagaID, "reserve"))
	}
	err = f.Transact(t.Context(), next, func(l record.Loaded) (record.Changes, error) {
		require.Len(t, l.Instances, n)
		var all record.Changes
		for _, id := range next.SagaIDs {
			changes, err := f.Decide(l, id, Succeed(id, "reserve", `{"for":"`+id+`"}`))
			require.NoError(t, err)
			all = join(all, changes)
		}
		return all, nil
	})
	require.NoError(t, err)
	for _, id := range next.SagaIDs {
		in := f.Get(id)
		assert.JSONEq(t, `{"for":"`+id+`"}`, string(in.Data))
		assert.Equal(t, saga.StepRunning, in.Steps[1].Status)
	}
	stats, err := f.Stats(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, int64(n), stats.OutboxPending, "one confirmed and one new command for each saga")
}

func join(a, b record.Changes) record.Changes {
	return record.Changes{
		Created: append(a.Created, b.Created...), Updated: append(a.Updated, b.Updated...),
		Entries: append(a.Entries, b.Entries...), Commands: append(a.Commands, b.Commands...),
	}
}

// deepValues overwrites every value that it passed in or got.
func deepValues(f *Fixture) {
	t := f.t
	start := saga.Start{Data: []byte(`{"a":1}`), Labels: map[string]string{"a": "b"}}
	id := f.Start(start).ID
	f.Apply(id, Succeed(id, "reserve", `{"r":1}`), Fail(id, "charge"))
	want := f.Get(id)
	scribble := func(in saga.Instance) {
		in.Data[1], in.Labels["a"], in.Labels["new"] = '#', "c", "d"
		in.Steps[0].Output[1], in.Steps[0].Name, in.Steps[1].Error.Code = '#', "other", "other"
		in.Failure.Code = "other"
	}
	scribble(f.Get(id))
	listed, _, err := f.Sagas(t.Context(), record.Filter{}, record.Page{})
	require.NoError(t, err)
	scribble(listed[0].Instance)
	err = f.Transact(t.Context(), record.Batch{SagaIDs: []string{id}}, func(l record.Loaded) (record.Changes, error) {
		scribble(l.Instances[id])
		return record.Changes{}, nil
	})
	require.NoError(t, err)
	assert.Equal(t, want, f.Get(id))

	var given record.Changes
	err = f.Transact(t.Context(), record.Batch{SagaIDs: []string{id}}, func(l record.Loaded) (record.Changes, error) {
		var err error
		given, err = f.Decide(l, id, Compensated(id, "reserve"))
		return given, err
	})
	require.NoError(t, err)
	want = f.Get(id)
	scribble(given.Updated[0])
	assert.Equal(t, want, f.Get(id))

	commands := f.claimAll()
	for i := range commands {
		commands[i].Body[0] = '#'
	}
	assert.Equal(t, byte('{'), f.claimAll()[0].Body[0])
}

func endedContext(f *Fixture) {
	t := f.t
	before := f.Start(saga.Start{})
	ended, end := context.WithCancel(t.Context())
	defer end()
	err := f.Transact(ended, record.Batch{SagaIDs: []string{before.ID}}, func(l record.Loaded) (record.Changes, error) {
		return f.Decide(l, before.ID, Succeed(before.ID, "reserve", `{}`))
	})
	require.NoError(t, err, "before the context ends")
	end()
	before = f.Get(before.ID)
	err = f.Transact(ended, record.Batch{SagaIDs: []string{before.ID}}, func(l record.Loaded) (record.Changes, error) {
		return f.Decide(l, before.ID, Succeed(before.ID, "charge", `{}`))
	})
	require.Error(t, err)
	assert.Equal(t, before, f.Get(before.ID))
}

func impossibleIDs(f *Fixture) {
	t := f.t
	ctx := t.Context()
	for _, id := range []string{"", "\x00", "a\x00b", "\xff", "../x", string(make([]byte, 3000))} {
		_, err := f.Saga(ctx, id)
		require.ErrorIs(t, err, record.ErrSagaNotFound, "%q", id)
		_, _, err = f.History(ctx, id, record.Page{})
		require.ErrorIs(t, err, record.ErrSagaNotFound, "%q", id)
		_, err = f.Definition(ctx, id, 1)
		require.ErrorIs(t, err, record.ErrDefinitionNotFound, "%q", id)
		_, err = f.LatestDefinition(ctx, id)
		require.ErrorIs(t, err, record.ErrDefinitionNotFound, "%q", id)
		_, _, err = f.DefinitionVersions(ctx, id, record.Page{})
		require.ErrorIs(t, err, record.ErrDefinitionNotFound, "%q", id)
		_, err = f.DeadLetter(ctx, id)
		require.ErrorIs(t, err, record.ErrDeadLetterNotFound, "%q", id)
		require.ErrorIs(t, f.DeleteDeadLetter(ctx, id), record.ErrDeadLetterNotFound, "%q", id)
		require.ErrorIs(t, f.RevokeKey(ctx, id), record.ErrKeyNotFound, "%q", id)
		rows, err := f.OutboxRows(ctx, id)
		require.NoError(t, err)
		assert.Empty(t, rows)
		if id == "" {
			continue
		}
		for _, filter := range []record.Filter{{Key: new(id)}, {Definition: new(id)}, {Labels: map[string]string{id: id}}} {
			found, _, err := f.Sagas(ctx, filter, record.Page{})
			require.NoError(t, err, "%q", id)
			assert.Empty(t, found)
		}
		err = f.Transact(ctx, record.Batch{SagaIDs: []string{id}, WithOutbox: []string{id}, Confirmed: []saga.CommandID{
			Execute(id, "reserve"),
		}}, func(l record.Loaded) (record.Changes, error) {
			assert.Empty(t, l.Instances)
			return record.Changes{}, nil
		})
		require.NoError(t, err, "%q", id)
	}
	for _, version := range []int{-1, 0, 1 << 40} {
		_, err := f.Definition(ctx, "order", version)
		require.ErrorIs(t, err, record.ErrDefinitionNotFound)
	}
}

func severalChanges(f *Fixture) {
	t := f.t
	before := f.Start(saga.Start{})
	after := f.Complete(before.ID)
	assert.Equal(t, saga.Completed, after.Status)
	assert.Equal(t, before.Revision+3, after.Revision)
}

func unpublished(f *Fixture) {
	t := f.t
	first, second := f.Start(saga.Start{}), f.Start(saga.Start{})
	ask := func(confirmed ...saga.CommandID) map[string]map[string]bool {
		var found map[string]map[string]bool
		batch := record.Batch{
			SagaIDs: []string{first.ID, second.ID}, WithOutbox: []string{first.ID}, Confirmed: confirmed,
		}
		err := f.Transact(t.Context(), batch, func(l record.Loaded) (record.Changes, error) {
			found = l.Unpublished
			return record.Changes{}, nil
		})
		require.NoError(t, err)
		return found
	}
	command := Execute(first.ID, "reserve")
	assert.Equal(t, map[string]map[string]bool{first.ID: {command.String(): true}}, ask())
	assert.Empty(t, ask(command), "confirmed by this batch")
	assert.Empty(t, ask())
}

// claimAll claims every command of the outbox, whatever its lease.
func (f *Fixture) claimAll() []wire.Command {
	f.t.Helper()
	var ids []saga.CommandID
	listed, _, err := f.Sagas(f.t.Context(), record.Filter{}, record.Page{})
	require.NoError(f.t, err)
	for _, in := range listed {
		rows, err := f.OutboxRows(f.t.Context(), in.ID)
		require.NoError(f.t, err)
		for _, row := range rows {
			id, err := saga.ParseCommandID(row.CommandID)
			require.NoError(f.t, err)
			ids = append(ids, id)
		}
	}
	require.NoError(f.t, f.ReleaseOutbox(f.t.Context(), ids))
	commands, err := f.claim(len(ids) + 1)
	require.NoError(f.t, err)
	return slices.Clip(commands)
}
