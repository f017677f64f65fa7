package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func deadLetterRules() map[string]rule {
	return map[string]rule{
		"a dead letter is returned as it was stored":     with(deadLetterComesOut),
		"the same dead letter again changes nothing":     with(deadLetterOnce),
		"dead letters are listed newest first, in pages": with(deadLetterPages),
		"a dead letter can be deleted once":              with(deadLetterDeleted),
		"dead letters expire by age and by number":       with(deadLettersExpire),
		"a page after an invalid position is refused":    with(deadLetterPageRefused),
		"a command has the newest of its dead letters":   with(deadLettersOfCommands),
	}
}

func (f *Fixture) putAside(letters ...record.DeadLetter) {
	f.t.Helper()
	err := f.Transact(f.t.Context(), record.Batch{DeadLetters: letters},
		func(record.Loaded) (record.Changes, error) { return record.Changes{}, nil })
	require.NoError(f.t, err)
}

func deadLettersExpire(f *Fixture) {
	t := f.t
	for i := range 12 { // each in its own transaction, so that they have an order
		f.putAside(record.DeadLetter{ID: fmt.Sprintf("derived-%02d", i), Source: record.SourceReply})
	}
	expire := func(age time.Duration, keep, limit, wanted int) []string {
		deleted, err := f.ExpireDeadLetters(t.Context(), age, keep, limit)
		require.NoError(t, err)
		assert.Equal(t, wanted, deleted)
		found, _, err := f.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{Limit: 50})
		require.NoError(t, err)
		var ids []string
		for _, letter := range found {
			ids = append(ids, letter.ID)
		}
		return ids
	}
	assert.Len(t, expire(0, 12, 100, 0), 12, "no age, and not too many")
	assert.Len(t, expire(time.Hour, 12, 100, 0), 12, "none is that old")
	assert.Len(t, expire(0, 3, 2, 2), 10, "no more than the limit at a time")
	assert.Equal(t, []string{"derived-11", "derived-10", "derived-09"}, expire(0, 3, 100, 7), "the newest are kept")
	assert.Empty(t, expire(time.Microsecond, 3, 100, 3))
}

func deadLetterComesOut(f *Fixture) {
	t := f.t
	put := record.DeadLetter{
		ID: "derived-1", Source: record.SourceReply, Queue: "saga.replies", Reason: "malformed_reply", Message: "not <JSON>",
		SagaID: "s", CommandID: "s/a/execute/1", Headers: []byte(`{"x":[1e300,"é"],"a":1}`),
		Body: []byte{0, 255, '{', '\n'}, ContentType: "text/plain",
	}
	bare := record.DeadLetter{ID: "derived-2", Source: "start"}
	f.putAside(put, bare)
	got, err := f.DeadLetter(t.Context(), put.ID)
	require.NoError(t, err)
	assert.False(t, got.ReceivedAt.IsZero())
	put.ReceivedAt, put.Size = got.ReceivedAt, len(put.Body)
	assert.Equal(t, put, got)
	got, err = f.DeadLetter(t.Context(), bare.ID)
	require.NoError(t, err)
	assert.Empty(t, got.Headers)
	assert.Empty(t, got.Body)
}

func deadLetterOnce(f *Fixture) {
	t := f.t
	first := record.DeadLetter{ID: "derived-1", Source: record.SourceReply, Message: "first"}
	again := record.DeadLetter{ID: "derived-1", Source: record.SourceReply, Message: "second"}
	f.putAside(first, again)
	before, err := f.DeadLetter(t.Context(), first.ID)
	require.NoError(t, err)
	f.putAside(again)
	after, err := f.DeadLetter(t.Context(), first.ID)
	require.NoError(t, err)
	assert.Equal(t, before, after)
	assert.Equal(t, "first", after.Message)
	stats, err := f.Stats(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, int64(1), stats.DeadLetters)
}

func (f *Fixture) deadLetterIDs(page record.Page) []string {
	f.t.Helper()
	letters, _, err := f.DeadLetters(f.t.Context(), record.DeadLetterFilter{}, page)
	require.NoError(f.t, err)
	ids := make([]string, len(letters))
	for i := range letters {
		ids[i] = letters[i].ID
	}
	return ids
}

func deadLetterPages(f *Fixture) {
	t := f.t
	want := []string{"z", "b", "x", "a", "m"} // ids of any form, in the order of arrival
	for _, id := range want {
		f.putAside(record.DeadLetter{ID: id, Source: record.SourceReply})
	}
	slices.Reverse(want)
	assert.Equal(t, want, f.deadLetterIDs(record.Page{}))
	assert.Equal(t, want[:2], f.deadLetterIDs(record.Page{Limit: 2}))
	var paged []string
	page := record.Page{Limit: 2}
	for first := true; first || page.After != ""; first = false {
		letters, next, err := f.DeadLetters(t.Context(), record.DeadLetterFilter{}, page)
		require.NoError(t, err)
		for _, letter := range letters {
			paged = append(paged, letter.ID)
			require.NoError(t, f.DeleteDeadLetter(t.Context(), letter.ID), "a position outlives its dead letter")
		}
		page.After = next
	}
	assert.Equal(t, want, paged)
}

func deadLetterDeleted(f *Fixture) {
	t := f.t
	f.putAside(record.DeadLetter{ID: "a", Source: record.SourceReply}, record.DeadLetter{ID: "b", Source: record.SourceReply})
	require.NoError(t, f.DeleteDeadLetter(t.Context(), "a"))
	require.ErrorIs(t, f.DeleteDeadLetter(t.Context(), "a"), record.ErrDeadLetterNotFound)
	_, err := f.DeadLetter(t.Context(), "a")
	require.ErrorIs(t, err, record.ErrDeadLetterNotFound)
	assert.Equal(t, []string{"b"}, f.deadLetterIDs(record.Page{}))
}

func deadLettersOfCommands(f *Fixture) {
	t := f.t
	command := func(step string) saga.CommandID {
		return saga.CommandID{Saga: "s", Step: step, Direction: saga.Execute, Round: 1, Attempt: 1}
	}
	letter := func(id, source, reason, step string) record.DeadLetter {
		return record.DeadLetter{ID: id, Source: source, Reason: reason, SagaID: "s", CommandID: command(step).String(), Queue: "q", Body: []byte("body")}
	}
	other := letter("of-another", record.SourceCommand, "rejected", "a")
	other.SagaID = "t"
	for _, one := range []record.DeadLetter{ // each in its own transaction, so that they have an order
		letter("z-old", record.SourceCommand, "rejected", "a"), letter("a-new", record.SourceCommand, "delivery_limit", "a"),
		letter("undecided", record.SourceReply, record.ReasonUnreadableSaga, "b"), letter("malformed", record.SourceReply, "malformed_reply", "c"),
		letter("older", record.SourceCommand, "delivery_limit", "f"), letter("newer", record.SourceReply, record.ReasonUserNotAllowed, "f"),
		letter("late", record.SourceReply, "unknown_command", "g"), letter("not-asked", record.SourceCommand, "rejected", "d"), other,
	} {
		f.putAside(one)
	}
	found, err := f.CommandLetters(t.Context(), "s", []saga.CommandID{command("a"), command("b"), command("c"), command("e"), command("f"), command("g")})
	require.NoError(t, err)
	ids := make([]string, len(found))
	for i, one := range found {
		ids[i] = one.ID
	}
	require.Equal(t, []string{"a-new", "undecided", "malformed", "newer"}, ids)
	assert.Equal(t, []string{"command", "q", "delivery_limit"}, []string{found[0].Source, found[0].Queue, found[0].Reason})
	assert.Equal(t, 4, found[0].Size)
	assert.Nil(t, found[0].Body)
	found, err = f.CommandLetters(t.Context(), "s", nil)
	require.NoError(t, err)
	assert.Empty(t, found)
}

func deadLetterPageRefused(f *Fixture) {
	t := f.t
	for _, after := range []string{"gone", "x_gone", "99999999999999999999_a", "1\x00_a"} {
		_, _, err := f.DeadLetters(t.Context(), record.DeadLetterFilter{}, record.Page{After: after})
		require.ErrorIs(t, err, record.ErrPageNotFound, after)
	}
}
