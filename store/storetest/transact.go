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
		"what is decided is stored, all of it":                    with(storesAll),
		"an error of decide is returned and nothing is written":   with(decideErrorWritesNothing),
		"a change that cannot be written leaves nothing behind":   with(refusedChangeWritesNothing),
		"an update that was not loaded is refused":                with(updateNeedsLoad),
		"an update does not take the revision back":               with(updateKeepsRevision),
		"sagas that are not there are not loaded":                 with(missingSagas),
		"the clock is UTC in microseconds and does not run back":  with(clock),
		"many sagas go in one batch":                              with(manySagas),
		"what is handed out and taken in is not what is kept":     with(deepValues),
		"an ended context writes nothing":                         with(endedContext),
		"ids that cannot be are not found, and no failure":        with(impossibleIDs),
		"several changes of a saga in one batch are one update":   with(severalChanges),
		"waiting commands are told to those who ask for the saga": with(unpublished),
	}
}

func storesAll(w *World) {
	t := w.t
	in := w.Start(saga.Start{
		Key: "order-1", Data: []byte(`{"orderId":"1"}`), Priority: 7, Labels: map[string]string{"region": "eu"},
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", Deadline: time.Hour, Actor: "me",
	})
	id := in.ID
	var decided record.Changes
	err := w.Transact(t.Context(), record.Batch{SagaIDs: []string{id}}, func(l record.Loaded) (record.Changes, error) {
		assert.Equal(t, in, l.Instances[id])
		var err error
		decided, err = w.Decide(l, id, Succeed(id, "reserve", `{"reservationId":"r-7"}`), Fail(id, "charge"))
		return decided, err
	})
	require.NoError(t, err)

	assert.Equal(t, decided.Updated[0], w.Get(id))
	assert.Equal(t, saga.Compensating, w.Get(id).Status)
	rows, err := w.OutboxRows(t.Context(), id)
	require.NoError(t, err)
	assert.Len(t, rows, 3, "execute reserve, execute charge, compensate reserve")
	entries, _, err := w.History(t.Context(), id, record.Page{})
	require.NoError(t, err)
	assert.Len(t, entries, int(w.Get(id).Entries))
	assert.Equal(t, decided.Entries[0].Type, entries[len(entries)-len(decided.Entries)].Type)
}

func decideErrorWritesNothing(w *World) {
	t := w.t
	before := w.Start(saga.Start{})
	letter := record.DeadLetter{ID: NewID(), Source: record.SourceReply, Body: []byte("?")}
	batch := record.Batch{
		SagaIDs: []string{before.ID}, Confirmed: []saga.CommandID{Execute(before.ID, "reserve")},
		Starts: []record.StartClaim{w.Claim(NewID(), "k", "key")}, DeadLetters: []record.DeadLetter{letter},
	}
	err := w.Transact(t.Context(), batch, func(record.Loaded) (record.Changes, error) {
		return record.Changes{}, errChangedMind
	})
	require.ErrorIs(t, err, errChangedMind)

	assert.Equal(t, before, w.Get(before.ID))
	rows, err := w.OutboxRows(t.Context(), before.ID)
	require.NoError(t, err)
	assert.Len(t, rows, 1)
	_, err = w.DeadLetter(t.Context(), letter.ID)
	require.ErrorIs(t, err, record.ErrDeadLetterNotFound)
	outcome, err := w.TryStart(w.Claim(NewID(), "k", "key"), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind, "the keys are free again")
}

func refusedChangeWritesNothing(w *World) {
	t := w.t
	before := w.Start(saga.Start{})
	other := NewID()
	batch := record.Batch{SagaIDs: []string{before.ID}, Starts: []record.StartClaim{w.Claim(other, "k", "")}}
	err := w.Transact(t.Context(), batch, func(l record.Loaded) (record.Changes, error) {
		changes, err := w.Begin(l, saga.Start{ID: other})
		require.NoError(t, err)
		more, err := w.Decide(l, before.ID, Succeed(before.ID, "reserve", `{}`))
		require.NoError(t, err)
		changes.Updated, changes.Commands = more.Updated, append(changes.Commands, more.Commands...)
		changes.Entries = append(changes.Entries, more.Entries...)
		changes.Entries = append(changes.Entries, record.Entry{SagaID: before.ID, Entry: saga.Entry{ // is there already
			Seq: 1, At: l.Now, Type: saga.EntryStarted,
		}})
		return changes, nil
	})
	require.ErrorIs(t, err, record.ErrRejected)

	assert.Equal(t, before, w.Get(before.ID))
	_, err = w.Saga(t.Context(), other)
	require.ErrorIs(t, err, record.ErrSagaNotFound)
	outcome, err := w.TryStart(w.Claim(other, "k", ""), saga.Start{})
	require.NoError(t, err)
	assert.Equal(t, record.StartFree, outcome.Kind)
}

func updateNeedsLoad(w *World) {
	t := w.t
	before := w.Start(saga.Start{})
	next := before
	next.Revision++
	err := w.Transact(t.Context(), record.Batch{}, func(record.Loaded) (record.Changes, error) {
		return record.Changes{Updated: []saga.Instance{next}}, nil
	})
	require.ErrorIs(t, err, record.ErrRejected)
	assert.Equal(t, before, w.Get(before.ID))
}

func updateKeepsRevision(w *World) {
	t := w.t
	before := w.Start(saga.Start{})
	before = w.Apply(before.ID, Succeed(before.ID, "reserve", `{}`))
	update := func(next saga.Instance) error {
		return w.Transact(t.Context(), record.Batch{SagaIDs: []string{before.ID}},
			func(record.Loaded) (record.Changes, error) {
				return record.Changes{Updated: []saga.Instance{next}}, nil
			})
	}
	back := before
	back.Revision--
	require.ErrorIs(t, update(back), record.ErrRejected)
	assert.Equal(t, before, w.Get(before.ID))
	woken := before
	woken.WakeAt = before.WakeAt.Add(-time.Second)
	require.NoError(t, update(woken), "a wake that only moves is no revision")
	assert.Equal(t, woken, w.Get(before.ID))
}

func missingSagas(w *World) {
	t := w.t
	there := w.Start(saga.Start{})
	batch := record.Batch{SagaIDs: []string{NewID(), there.ID}, WithOutbox: []string{NewID()}}
	err := w.Transact(t.Context(), batch, func(l record.Loaded) (record.Changes, error) {
		assert.Equal(t, map[string]saga.Instance{there.ID: there}, l.Instances)
		assert.Empty(t, l.Unpublished)
		assert.Empty(t, l.Starts)
		return record.Changes{}, nil
	})
	require.NoError(t, err)
}

func clock(w *World) {
	t := w.t
	var last time.Time
	for range 3 {
		err := w.Transact(t.Context(), record.Batch{}, func(l record.Loaded) (record.Changes, error) {
			assert.Equal(t, time.UTC, l.Now.Location())
			assert.Equal(t, l.Now.Truncate(time.Microsecond), l.Now)
			assert.False(t, l.Now.Before(last))
			last = l.Now
			return record.Changes{}, nil
		})
		require.NoError(t, err)
	}
}

func manySagas(w *World) {
	t := w.t
	const n = 300
	var batch record.Batch
	for range n {
		batch.Starts = append(batch.Starts, w.Claim(NewID(), NewID(), NewID()))
	}
	err := w.Transact(t.Context(), batch, func(l record.Loaded) (record.Changes, error) {
		var all record.Changes
		for _, claim := range batch.Starts {
			require.Equal(t, record.StartFree, l.Starts[claim.SagaID].Kind)
			changes, err := w.Begin(l, saga.Start{ID: claim.SagaID, Key: claim.Key})
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
	err = w.Transact(t.Context(), next, func(l record.Loaded) (record.Changes, error) {
		require.Len(t, l.Instances, n)
		var all record.Changes
		for _, id := range next.SagaIDs {
			changes, err := w.Decide(l, id, Succeed(id, "reserve", `{"for":"`+id+`"}`))
			require.NoError(t, err)
			all = join(all, changes)
		}
		return all, nil
	})
	require.NoError(t, err)
	for _, id := range next.SagaIDs {
		in := w.Get(id)
		assert.JSONEq(t, `{"for":"`+id+`"}`, string(in.Data))
		assert.Equal(t, saga.StepRunning, in.Steps[1].Status)
	}
	stats, err := w.Stats(t.Context())
	require.NoError(t, err)
	assert.Equal(t, int64(n), stats.OutboxPending, "one confirmed and one new command each")
}

func join(a, b record.Changes) record.Changes {
	return record.Changes{
		Created: append(a.Created, b.Created...), Updated: append(a.Updated, b.Updated...),
		Entries: append(a.Entries, b.Entries...), Commands: append(a.Commands, b.Commands...),
	}
}

// deepValues writes over everything that it was handed or has handed over.
func deepValues(w *World) {
	t := w.t
	start := saga.Start{Data: []byte(`{"a":1}`), Labels: map[string]string{"a": "b"}}
	id := w.Start(start).ID
	w.Apply(id, Succeed(id, "reserve", `{"r":1}`), Fail(id, "charge"))
	want := w.Get(id)
	scribble := func(in saga.Instance) {
		in.Data[1], in.Labels["a"], in.Labels["new"] = '#', "c", "d"
		in.Steps[0].Output[1], in.Steps[0].Name, in.Steps[1].Error.Code = '#', "other", "other"
		in.Failure.Code = "other"
	}
	scribble(w.Get(id))
	listed, _, err := w.Sagas(t.Context(), record.Filter{}, record.Page{})
	require.NoError(t, err)
	scribble(listed[0].Instance)
	err = w.Transact(t.Context(), record.Batch{SagaIDs: []string{id}}, func(l record.Loaded) (record.Changes, error) {
		scribble(l.Instances[id])
		return record.Changes{}, nil
	})
	require.NoError(t, err)
	assert.Equal(t, want, w.Get(id))

	var given record.Changes
	err = w.Transact(t.Context(), record.Batch{SagaIDs: []string{id}}, func(l record.Loaded) (record.Changes, error) {
		var err error
		given, err = w.Decide(l, id, Undone(id, "reserve"))
		return given, err
	})
	require.NoError(t, err)
	want = w.Get(id)
	scribble(given.Updated[0])
	assert.Equal(t, want, w.Get(id))

	commands := w.claimAll()
	for i := range commands {
		commands[i].Body[0] = '#'
	}
	assert.Equal(t, byte('{'), w.claimAll()[0].Body[0])
}

func endedContext(w *World) {
	t := w.t
	before := w.Start(saga.Start{})
	ended, end := context.WithCancel(t.Context())
	defer end()
	err := w.Transact(ended, record.Batch{SagaIDs: []string{before.ID}}, func(l record.Loaded) (record.Changes, error) {
		return w.Decide(l, before.ID, Succeed(before.ID, "reserve", `{}`))
	})
	require.NoError(t, err, "before it ends")
	end()
	before = w.Get(before.ID)
	err = w.Transact(ended, record.Batch{SagaIDs: []string{before.ID}}, func(l record.Loaded) (record.Changes, error) {
		return w.Decide(l, before.ID, Succeed(before.ID, "charge", `{}`))
	})
	require.Error(t, err)
	assert.Equal(t, before, w.Get(before.ID))
}

func impossibleIDs(w *World) {
	t := w.t
	ctx := t.Context()
	for _, id := range []string{"", "\x00", "a\x00b", "\xff", "../x", string(make([]byte, 3000))} {
		_, err := w.Saga(ctx, id)
		require.ErrorIs(t, err, record.ErrSagaNotFound, "%q", id)
		_, _, err = w.History(ctx, id, record.Page{})
		require.ErrorIs(t, err, record.ErrSagaNotFound, "%q", id)
		_, err = w.Definition(ctx, id, 1)
		require.ErrorIs(t, err, record.ErrDefinitionNotFound, "%q", id)
		_, err = w.LatestDefinition(ctx, id)
		require.ErrorIs(t, err, record.ErrDefinitionNotFound, "%q", id)
		_, _, err = w.DefinitionVersions(ctx, id, record.Page{})
		require.ErrorIs(t, err, record.ErrDefinitionNotFound, "%q", id)
		_, err = w.DeadLetter(ctx, id)
		require.ErrorIs(t, err, record.ErrDeadLetterNotFound, "%q", id)
		require.ErrorIs(t, w.DeleteDeadLetter(ctx, id), record.ErrDeadLetterNotFound, "%q", id)
		require.ErrorIs(t, w.RevokeKey(ctx, id), record.ErrKeyNotFound, "%q", id)
		rows, err := w.OutboxRows(ctx, id)
		require.NoError(t, err)
		assert.Empty(t, rows)
		if id == "" {
			continue
		}
		for _, filter := range []record.Filter{{Key: new(id)}, {Definition: new(id)}, {Labels: map[string]string{id: id}}} {
			found, _, err := w.Sagas(ctx, filter, record.Page{})
			require.NoError(t, err, "%q", id)
			assert.Empty(t, found)
		}
		err = w.Transact(ctx, record.Batch{SagaIDs: []string{id}, WithOutbox: []string{id}, Confirmed: []saga.CommandID{
			Execute(id, "reserve"),
		}}, func(l record.Loaded) (record.Changes, error) {
			assert.Empty(t, l.Instances)
			return record.Changes{}, nil
		})
		require.NoError(t, err, "%q", id)
	}
	for _, version := range []int{-1, 0, 1 << 40} {
		_, err := w.Definition(ctx, "order", version)
		require.ErrorIs(t, err, record.ErrDefinitionNotFound)
	}
}

func severalChanges(w *World) {
	t := w.t
	before := w.Start(saga.Start{})
	after := w.Complete(before.ID)
	assert.Equal(t, saga.Completed, after.Status)
	assert.Equal(t, before.Revision+3, after.Revision)
}

func unpublished(w *World) {
	t := w.t
	first, second := w.Start(saga.Start{}), w.Start(saga.Start{})
	ask := func(confirmed ...saga.CommandID) map[string]map[string]bool {
		var found map[string]map[string]bool
		batch := record.Batch{
			SagaIDs: []string{first.ID, second.ID}, WithOutbox: []string{first.ID}, Confirmed: confirmed,
		}
		err := w.Transact(t.Context(), batch, func(l record.Loaded) (record.Changes, error) {
			found = l.Unpublished
			return record.Changes{}, nil
		})
		require.NoError(t, err)
		return found
	}
	command := Execute(first.ID, "reserve")
	assert.Equal(t, map[string]map[string]bool{first.ID: {command.String(): true}}, ask())
	assert.Empty(t, ask(command), "confirmed in this very batch")
	assert.Empty(t, ask())
}

// claimAll takes every command of the outbox, whoever has it.
func (w *World) claimAll() []wire.Command {
	w.t.Helper()
	var ids []saga.CommandID
	listed, _, err := w.Sagas(w.t.Context(), record.Filter{}, record.Page{})
	require.NoError(w.t, err)
	for _, in := range listed {
		rows, err := w.OutboxRows(w.t.Context(), in.ID)
		require.NoError(w.t, err)
		for _, row := range rows {
			id, err := saga.ParseCommandID(row.CommandID)
			require.NoError(w.t, err)
			ids = append(ids, id)
		}
	}
	require.NoError(w.t, w.ReleaseOutbox(w.t.Context(), ids))
	commands, err := w.claim(len(ids) + 1)
	require.NoError(w.t, err)
	return slices.Clip(commands)
}
