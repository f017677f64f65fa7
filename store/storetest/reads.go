package storetest

import (
	"encoding/json"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func readRules() map[string]rule {
	return map[string]rule{
		"data is returned as the text that was stored":        with(dataAsText),
		"outputs and errors are returned as they were stored": with(outputsAsText),
		"details of history keep their numbers":               with(detailNumbers),
		"a missing saga is not found":                         with(sagaNotFound),
		"of watched sagas, the changed ones are returned":     with(changedSagas),
		"statistics count all sagas":                          with(statistics),
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
	empty, err := f.Stats(t.Context())
	require.NoError(t, err)
	assert.Equal(t, record.Stats{Attention: map[saga.AttentionReason]int64{}}, empty)

	first := f.Start(saga.Start{})
	f.Start(saga.Start{})
	f.Complete(f.Start(saga.Start{}).ID)
	f.lateEffect("")
	stats, err := f.Stats(t.Context())
	require.NoError(t, err)
	assert.Equal(t, record.Stats{
		Counts: []record.Count{
			{Definition: "order", Status: saga.Abandoned, Sagas: 1},
			{Definition: "order", Status: saga.Completed, Sagas: 1},
			{Definition: "order", Status: saga.Running, Sagas: 2},
		},
		Attention:         map[saga.AttentionReason]int64{saga.LateEffect: 1},
		StartedLastMinute: 4, StartedLastHour: 4, FinishedLastMinute: 2, FinishedLastHour: 2,
		OutboxPending: 6, OutboxOldest: first.CreatedAt,
	}, stats)

	f.putAside(record.DeadLetter{ID: "d-1", Source: record.SourceReply}, record.DeadLetter{ID: "d-2", Source: "start"}, record.DeadLetter{ID: "d-3", Source: "start"})
	backlog, err := f.Backlog(t.Context())
	require.NoError(t, err)
	assert.Equal(t, record.Backlog{
		OutboxPending: 6, OutboxOldest: first.CreatedAt, DeadLetters: map[string]int64{"reply": 1, "start": 2},
	}, backlog)
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
