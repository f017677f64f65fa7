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

func listRules() map[string]rule {
	return map[string]rule{
		"sagas are listed newest first, in pages":              with(newestFirst),
		"a filter selects by each of its fields":               with(filters),
		"all fields of a filter must hold":                     with(filtersTogether),
		"attention is found by its reason":                     with(filtersAttention),
		"times select without their own bounds":                with(filtersTimes),
		"due sagas are ordered by the time at which they wake": with(dueByTime),
		"history is oldest first, in pages":                    with(historyPages),
		"an impossible page of history is refused":             with(historyPageRefused),
		"the history of a missing saga is not found":           with(historyNotFound),
	}
}

func (f *Fixture) list(filter record.Filter, page record.Page) []string {
	f.t.Helper()
	found, _, err := f.Sagas(f.t.Context(), filter, page)
	require.NoError(f.t, err)
	ids := make([]string, len(found))
	for i, in := range found {
		require.NoError(f.t, in.Unreadable)
		assert.Equal(f.t, f.Get(in.ID), in.Instance)
		ids[i] = in.ID
	}
	return ids
}

func newestFirst(f *Fixture) {
	t := f.t
	var ids []string
	for range 5 {
		ids = append(ids, f.Start(saga.Start{}).ID)
	}
	slices.Reverse(ids)
	assert.Equal(t, ids, f.list(record.Filter{}, record.Page{}))
	assert.Equal(t, ids[:2], f.list(record.Filter{}, record.Page{Limit: 2}))
	assert.Equal(t, ids[2:4], f.list(record.Filter{}, record.Page{Limit: 2, After: ids[1]}))
	assert.Empty(t, f.list(record.Filter{}, record.Page{After: ids[4]}))
}

func filters(f *Fixture) {
	t := f.t
	plain := f.Start(saga.Start{}).ID
	keyed := f.Start(saga.Start{Key: "order-1"}).ID
	labelled := f.Start(saga.Start{Labels: map[string]string{"region": "eu", "tier": "<gold>"}}).ID
	done := f.Start(saga.Start{}).ID
	f.Complete(done)
	paused := f.Start(saga.Start{}).ID
	f.Apply(paused, Do(saga.ActionPause))
	all := []string{paused, done, labelled, keyed, plain}
	cases := map[string]struct {
		filter record.Filter
		want   []string
	}{
		"definition":       {record.Filter{Definition: new("order")}, all},
		"other definition": {record.Filter{Definition: new("other")}, nil},
		"version":          {record.Filter{Version: new(1)}, all},
		"other version":    {record.Filter{Version: new(2)}, nil},
		"status":           {record.Filter{Statuses: []saga.Status{saga.Completed}}, []string{done}},
		"statuses":         {record.Filter{Statuses: []saga.Status{saga.Completed, saga.Paused}}, []string{paused, done}},
		"unfinished":       {record.Filter{Statuses: []saga.Status{saga.Running}}, []string{labelled, keyed, plain}},
		"key":              {record.Filter{Key: new("order-1")}, []string{keyed}},
		"other key":        {record.Filter{Key: new("order-2")}, nil},
		"label":            {record.Filter{Labels: map[string]string{"tier": "<gold>"}}, []string{labelled}},
		"labels":           {record.Filter{Labels: map[string]string{"tier": "<gold>", "region": "eu"}}, []string{labelled}},
		"one label of two": {record.Filter{Labels: map[string]string{"tier": "<gold>", "region": "us"}}, nil},
		// A set field selects, even with the zero value.
		"no key":             {record.Filter{Key: new("")}, []string{paused, done, labelled, plain}},
		"no definition":      {record.Filter{Definition: new("")}, nil},
		"version zero":       {record.Filter{Version: new(0)}, nil},
		"no status":          {record.Filter{Statuses: []saga.Status{}}, nil},
		"parent":             {record.Filter{Parent: &plain}, nil}, // no saga has one yet
		"no reason":          {record.Filter{AttentionReasons: []saga.AttentionReason{}}, nil},
		"before the year 1":  {record.Filter{CreatedBefore: new(time.Time{})}, nil},
		"after the year 1":   {record.Filter{CreatedAfter: new(time.Time{})}, all},
		"year 0":             {record.Filter{CreatedBefore: new(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC))}, nil},
		"year 9999":          {record.Filter{CreatedBefore: new(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))}, all},
		"attention":          {record.Filter{NeedsAttention: true}, nil},
		"attention's reason": {record.Filter{AttentionReasons: saga.AttentionReasons()}, nil},
	}
	for name, c := range cases {
		got := f.list(c.filter, record.Page{})
		assert.Equal(t, append([]string{}, c.want...), got, name)
	}
}

func filtersTogether(f *Fixture) {
	t := f.t
	labels := map[string]string{"region": "eu"}
	wanted := f.Start(saga.Start{Key: "order-1", Labels: labels}).ID
	f.Start(saga.Start{Key: "order-2", Labels: labels})
	f.Complete(f.Start(saga.Start{Key: "order-3", Labels: labels}).ID)
	filter := record.Filter{
		Definition: new("order"), Version: new(1), Statuses: []saga.Status{saga.Running}, Key: new("order-1"), Labels: labels,
		CreatedAfter: new(time.Unix(0, 0)), CreatedBefore: new(time.Now().Add(time.Hour)),
	}
	assert.Equal(t, []string{wanted}, f.list(filter, record.Page{}))
	filter.NeedsAttention = true
	assert.Empty(t, f.list(filter, record.Page{}))
}

func filtersAttention(f *Fixture) {
	t := f.t
	f.Start(saga.Start{})
	late := f.lateEffect("")
	assert.Equal(t, []string{late.ID}, f.list(record.Filter{NeedsAttention: true}, record.Page{}))
	reasons := []saga.AttentionReason{saga.Overdue, saga.LateEffect}
	assert.Equal(t, []string{late.ID}, f.list(record.Filter{AttentionReasons: reasons}, record.Page{}))
	assert.Empty(t, f.list(record.Filter{AttentionReasons: reasons[:1]}, record.Page{}))
}

func filtersTimes(f *Fixture) {
	t := f.t
	first, second := f.Start(saga.Start{}), f.Start(saga.Start{})
	assert.Equal(t, []string{second.ID}, f.list(record.Filter{CreatedAfter: new(first.CreatedAt)}, record.Page{}))
	assert.Equal(t, []string{first.ID}, f.list(record.Filter{CreatedBefore: new(second.CreatedAt)}, record.Page{}))
}

func dueByTime(f *Fixture) {
	t := f.t
	var wakes []saga.Instance
	for range 3 {
		wakes = append(wakes, f.Start(saga.Start{}))
	}
	f.Complete(f.Start(saga.Start{}).ID)
	due := func(in time.Duration, limit int) []string {
		due, err := f.Due(t.Context(), -in, record.DueSaga{}, limit)
		require.NoError(t, err)
		return dueIDs(due)
	}
	assert.Empty(t, due(0, 10))
	assert.Equal(t, idsOf(wakes), due(time.Hour, 10), "in an hour all steps have timed out")
	assert.Equal(t, idsOf(wakes[:2]), due(time.Hour, 2))
}

func dueIDs(due []record.DueSaga) []string {
	var ids []string
	for _, one := range due {
		ids = append(ids, one.SagaID)
	}
	return ids
}

func historyPages(f *Fixture) {
	t := f.t
	in := f.Start(saga.Start{Actor: "ada"})
	f.Complete(in.ID)
	all, _, err := f.History(t.Context(), in.ID, record.Page{})
	require.NoError(t, err)
	require.Greater(t, len(all), 4)
	for i, entry := range all {
		assert.Equal(t, int64(i+1), entry.Seq)
		assert.Equal(t, in.ID, entry.SagaID)
		assert.Equal(t, time.UTC, entry.At.Location())
	}
	assert.Equal(t, saga.EntryStarted, all[0].Type)
	page, _, err := f.History(t.Context(), in.ID, record.Page{After: "1", Limit: 2})
	require.NoError(t, err)
	assert.Equal(t, all[1:3], page)
	page, _, err = f.History(t.Context(), in.ID, record.Page{After: fmt.Sprint(len(all))})
	require.NoError(t, err)
	assert.Empty(t, page)
}

func historyPageRefused(f *Fixture) {
	t := f.t
	in := f.Start(saga.Start{})
	for _, after := range []string{"x", "-1", "1.5", "99999999999999999999"} {
		_, _, err := f.History(t.Context(), in.ID, record.Page{After: after})
		require.ErrorIs(t, err, record.ErrPageNotFound, after)
	}
}

func historyNotFound(f *Fixture) {
	t := f.t
	_, _, err := f.History(t.Context(), NewID(), record.Page{})
	require.ErrorIs(t, err, record.ErrSagaNotFound)
}
