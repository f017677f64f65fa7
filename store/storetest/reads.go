package storetest

import (
	"encoding/json"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

func readRules() map[string]rule {
	return map[string]rule{
		"data is returned as the text that was stored":        with(dataAsText),
		"outputs and errors are returned as they were stored": with(outputsAsText),
		"details of history keep their numbers":               with(detailNumbers),
		"a missing saga is not found":                         with(sagaNotFound),
		"of watched sagas, the changed ones are returned":     with(changedSagas),
		"statistics count all sagas":                          with(statistics),
		"statistics count the sagas of each minute":           with(statisticsByMinute),
		"an open store answers a ping":                        with(answers),
	}
}

func fidelity() []string {
	return []string{
		`{}`,
		`{"big":1e300,"small":1e-300,"exact":9007199254740993,"long":0.1234567890123456789012345678901234567890}`,
		`{"zero":-0,"one":1.0,"ten":1E1}`,
		`{"z":1,"a":{"y":[3,1,2],"b":null},"m":true}`,
		`{"html":"<a href='x'>&amp;</a>","escaped":"\u003c\u0026\u003e","slash":"\/"}`,
		`{"unicode":"żółć 🙂 日本","escaped":"\ud83d\ude42\u00e9","line":"\u2028 ` + "\u2028" + `","tab":"\t"}`,
		`{"":"empty name","with \" quote":[[],{}]}`,
		"{ \"white\" :\n\t[ 1 , 2 ] }",
	}
}

func dataAsText(f *Fixture) {
	t := f.t
	for _, text := range fidelity() {
		in := f.Start(saga.Start{Data: []byte(text)})
		assert.Equal(t, text, string(in.Data))
		in = f.Apply(in.ID, Do(saga.ActionPause))
		assert.Equal(t, text, string(in.Data), "after an update that does not change it")
	}
}

func outputsAsText(f *Fixture) {
	t := f.t
	texts := fidelity()
	for _, text := range texts[:len(texts)-1] { // white space is dropped
		id := f.Start(saga.Start{}).ID
		in := f.Apply(id, Succeed(id, "reserve", text), Fail(id, "charge"))
		assert.Equal(t, text, string(in.Steps[0].Output))
		assert.Equal(t, "no <money> & more", in.Steps[1].Error.Message)
	}
}

func detailNumbers(f *Fixture) {
	t := f.t
	id := f.Start(saga.Start{}).ID
	detail := map[string]any{"n": json.Number("9007199254740993"), "f": json.Number("1e300"), "s": "<é>", "l": []any{nil, true}}
	err := f.Transact(t.Context(), record.Batch{SagaIDs: []string{id}}, func(l record.Loaded) (record.Changes, error) {
		changes, err := f.Decide(l, id, Do(saga.ActionPause))
		changes.Entries[len(changes.Entries)-1].Detail = detail
		return changes, err
	})
	require.NoError(t, err)
	entries, _, err := f.History(t.Context(), id, record.Page{})
	require.NoError(t, err)
	last := entries[len(entries)-1]
	assert.Equal(t, detail, last.Detail)
	assert.Equal(t, "ada", last.Actor)
}

func answers(f *Fixture) { require.NoError(f.t, f.Ping(f.t.Context())) }

func sagaNotFound(f *Fixture) {
	t := f.t
	_, err := f.Saga(t.Context(), NewID())
	require.ErrorIs(t, err, record.ErrSagaNotFound)
}

func statistics(f *Fixture) {
	t := f.t
	empty, err := f.Stats(t.Context(), nil)
	require.NoError(t, err)
	assert.NotZero(t, empty.CountedAt)
	assert.Equal(t, record.Stats{Attention: map[saga.AttentionReason]int64{}, Minutes: record.LastMinutes(nextMinute(empty)), CountedAt: empty.CountedAt}, empty)

	first := f.Start(saga.Start{})
	f.Start(saga.Start{})
	f.Complete(f.Start(saga.Start{}).ID)
	f.lateEffect("")
	stats, err := f.Stats(t.Context(), nil)
	require.NoError(t, err)
	assert.Equal(t, record.Stats{
		Counts: []record.Count{
			{Definition: "order", Status: saga.Abandoned, Sagas: 1},
			{Definition: "order", Status: saga.Completed, Sagas: 1},
			{Definition: "order", Status: saga.Running, Sagas: 2},
		},
		Attention:         map[saga.AttentionReason]int64{saga.LateEffect: 1},
		StartedLastMinute: 4, StartedLastHour: 4, FinishedLastMinute: 2, FinishedLastHour: 2, Minutes: stats.Minutes, CountedAt: stats.CountedAt,
		OutboxPending: 6, OutboxOldest: first.CreatedAt,
	}, stats)

	unfinished, err := f.Unfinished(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []record.Count{{Definition: "order", Status: saga.Running, Sagas: 2}}, unfinished)

	attention, err := f.Attention(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []record.AttentionCount{{Definition: "order", Reason: saga.LateEffect, Sagas: 1}}, attention)

	f.putAside(record.DeadLetter{ID: "d-1", Source: record.SourceReply}, record.DeadLetter{ID: "d-2", Source: "start"}, record.DeadLetter{ID: "d-3", Source: "start"})
	backlog, err := f.Backlog(t.Context())
	require.NoError(t, err)
	assert.Equal(t, record.Backlog{
		OutboxPending: 6, OutboxOldest: first.CreatedAt, DeadLetters: map[string]int64{"reply": 1, "start": 2},
		EventsOldest: map[record.Sink]time.Time{},
	}, backlog)

	told := wire.Command{
		ID: first.EndedMessage().ID, Definition: "order", Version: 1, Queue: wire.BetweenSagas, CreatedAt: first.CreatedAt.Add(-time.Hour), Body: []byte(`{}`),
	}
	err = f.Transact(t.Context(), record.Batch{}, func(record.Loaded) (record.Changes, error) {
		return record.Changes{Commands: []wire.Command{told}}, nil
	})
	require.NoError(t, err)
	require.NoError(t, f.MarkRefused(t.Context(), []record.RefusedCommand{{Command: told.ID, Reason: "its parent cannot be read", RetryAfter: time.Hour}}))
	backlog, err = f.Backlog(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []any{int64(7), first.CreatedAt}, []any{backlog.OutboxPending, backlog.OutboxOldest}, "what waits for a repair is not old")
}

// nextMinute returns the minute after the last one of the statistics.
func nextMinute(stats record.Stats) time.Time {
	return stats.Minutes[len(stats.Minutes)-1].At.Add(time.Minute)
}

// A saga counts in the minutes of its start and its end, whenever it is counted.
func statisticsByMinute(f *Fixture) {
	t := f.t
	now := f.Start(saga.Start{}).CreatedAt
	minute := func(ago int) time.Time { return now.Truncate(time.Minute).Add(-time.Duration(ago) * time.Minute) }
	f.past(minute(70).Add(time.Second), saga.ActionAbandon)
	f.past(minute(5), saga.ActionAbandon) // the first instant of a minute belongs to it
	f.past(minute(5).Add(time.Minute-time.Microsecond), saga.ActionCompensate)
	f.past(minute(3), "")
	stats, err := f.Stats(t.Context(), nil)
	require.NoError(t, err)
	want := record.LastMinutes(nextMinute(stats))
	*record.MinuteOf(want, minute(5)) = record.Minute{At: minute(5), Started: 2, Abandoned: 1, Compensated: 1}
	*record.MinuteOf(want, minute(3)) = record.Minute{At: minute(3), Started: 1}
	if m := record.MinuteOf(want, now); m != nil { // the minute ended meanwhile
		m.Started++
	}
	assert.Equal(t, want, stats.Minutes)
	assert.Len(t, want, record.ThroughputMinutes)
}

// past starts a saga at a time of the past and does the action at the same time.
func (f *Fixture) past(at time.Time, action saga.ActionName) {
	f.t.Helper()
	id := NewID()
	err := f.Transact(f.t.Context(), record.Batch{Starts: []record.StartClaim{f.Claim(id, "", "")}},
		func(l record.Loaded) (record.Changes, error) {
			l.Now = at
			return f.Begin(l, saga.Start{ID: id, StartAt: at.Add(time.Minute)})
		})
	require.NoError(f.t, err)
	if action == "" {
		return
	}
	err = f.Transact(f.t.Context(), record.Batch{SagaIDs: []string{id}},
		func(l record.Loaded) (record.Changes, error) {
			l.Now = at
			return f.Decide(l, id, Do(action))
		})
	require.NoError(f.t, err)
}

func changedSagas(f *Fixture) {
	t := f.t
	still, moved := f.Start(saga.Start{}), f.Start(saga.Start{})
	moved = f.Apply(moved.ID, Succeed(moved.ID, "reserve", `{}`))
	changed, err := f.Changed(t.Context(), map[string]int64{still.ID: 1, moved.ID: 1, NewID(): 0, "": 0})
	require.NoError(t, err)
	assert.Equal(t, []saga.Instance{moved}, changed)
	changed, err = f.Changed(t.Context(), nil)
	require.NoError(t, err)
	assert.Empty(t, changed)
}
