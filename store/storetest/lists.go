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
		"sagas are listed newest first, in pages":         with(newestFirst),
		"a filter selects by each of its fields":          with(filters),
		"all fields of a filter must hold":                with(filtersTogether),
		"attention is found by its reason":                with(filtersAttention),
		"times select without their own bounds":           with(filtersTimes),
		"due sagas come by the time at which they wake":   with(dueByTime),
		"history is oldest first, in pages":               with(historyPages),
		"a page of history that cannot be is refused":     with(historyPageRefused),
		"the history of a saga that is not there is none": with(historyNotFound),
	}
}

func (w *World) list(filter record.Filter, page record.Page) []string {
	w.t.Helper()
	found, _, err := w.Sagas(w.t.Context(), filter, page)
	require.NoError(w.t, err)
	ids := make([]string, len(found))
	for i, in := range found {
		require.NoError(w.t, in.Unreadable)
		assert.Equal(w.t, w.Get(in.ID), in.Instance)
		ids[i] = in.ID
	}
	return ids
}

func newestFirst(w *World) {
	t := w.t
	var ids []string
	for range 5 {
		ids = append(ids, w.Start(saga.Start{}).ID)
	}
	slices.Reverse(ids)
	assert.Equal(t, ids, w.list(record.Filter{}, record.Page{}))
	assert.Equal(t, ids[:2], w.list(record.Filter{}, record.Page{Limit: 2}))
	assert.Equal(t, ids[2:4], w.list(record.Filter{}, record.Page{Limit: 2, After: ids[1]}))
	assert.Empty(t, w.list(record.Filter{}, record.Page{After: ids[4]}))
}

func filters(w *World) {
	t := w.t
	plain := w.Start(saga.Start{}).ID
	keyed := w.Start(saga.Start{Key: "order-1"}).ID
	labelled := w.Start(saga.Start{Labels: map[string]string{"region": "eu", "tier": "<gold>"}}).ID
	done := w.Start(saga.Start{}).ID
	w.Complete(done)
	paused := w.Start(saga.Start{}).ID
	w.Apply(paused, Do(saga.ActionPause))
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
		// What is set selects, also where it is zero.
		"no key":             {record.Filter{Key: new("")}, []string{paused, done, labelled, plain}},
		"no definition":      {record.Filter{Definition: new("")}, nil},
		"version zero":       {record.Filter{Version: new(0)}, nil},
		"no status":          {record.Filter{Statuses: []saga.Status{}}, nil},
		"no reason":          {record.Filter{AttentionReasons: []saga.AttentionReason{}}, nil},
		"before the year 1":  {record.Filter{CreatedBefore: new(time.Time{})}, nil},
		"after the year 1":   {record.Filter{CreatedAfter: new(time.Time{})}, all},
		"year 0":             {record.Filter{CreatedBefore: new(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC))}, nil},
		"year 9999":          {record.Filter{CreatedBefore: new(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))}, all},
		"attention":          {record.Filter{NeedsAttention: true}, nil},
		"attention's reason": {record.Filter{AttentionReasons: saga.AttentionReasons()}, nil},
	}
	for name, c := range cases {
		got := w.list(c.filter, record.Page{})
		assert.Equal(t, append([]string{}, c.want...), got, name)
	}
}

func filtersTogether(w *World) {
	t := w.t
	labels := map[string]string{"region": "eu"}
	wanted := w.Start(saga.Start{Key: "order-1", Labels: labels}).ID
	w.Start(saga.Start{Key: "order-2", Labels: labels})
	w.Complete(w.Start(saga.Start{Key: "order-3", Labels: labels}).ID)
	filter := record.Filter{
		Definition: new("order"), Version: new(1), Statuses: []saga.Status{saga.Running}, Key: new("order-1"), Labels: labels,
		CreatedAfter: new(time.Unix(0, 0)), CreatedBefore: new(time.Now().Add(time.Hour)),
	}
	assert.Equal(t, []string{wanted}, w.list(filter, record.Page{}))
	filter.NeedsAttention = true
	assert.Empty(t, w.list(filter, record.Page{}))
}

func filtersAttention(w *World) {
	t := w.t
	w.Start(saga.Start{})
	late := w.lateEffect("")
	assert.Equal(t, []string{late.ID}, w.list(record.Filter{NeedsAttention: true}, record.Page{}))
	reasons := []saga.AttentionReason{saga.Overdue, saga.LateEffect}
	assert.Equal(t, []string{late.ID}, w.list(record.Filter{AttentionReasons: reasons}, record.Page{}))
	assert.Empty(t, w.list(record.Filter{AttentionReasons: reasons[:1]}, record.Page{}))
}

func filtersTimes(w *World) {
	t := w.t
	first, second := w.Start(saga.Start{}), w.Start(saga.Start{})
	assert.Equal(t, []string{second.ID}, w.list(record.Filter{CreatedAfter: new(first.CreatedAt)}, record.Page{}))
	assert.Equal(t, []string{first.ID}, w.list(record.Filter{CreatedBefore: new(second.CreatedAt)}, record.Page{}))
}

func dueByTime(w *World) {
	t := w.t
	var wakes []saga.Instance
	for range 3 {
		wakes = append(wakes, w.Start(saga.Start{}))
	}
	w.Complete(w.Start(saga.Start{}).ID)
	due := func(in time.Duration, limit int) []string {
		due, err := w.Due(t.Context(), -in, record.DueSaga{}, limit)
		require.NoError(t, err)
		return dueIDs(due)
	}
	assert.Empty(t, due(0, 10))
	assert.Equal(t, idsOf(wakes), due(time.Hour, 10), "an hour ahead all steps have timed out")
	assert.Equal(t, idsOf(wakes[:2]), due(time.Hour, 2))
}

func dueIDs(due []record.DueSaga) []string {
	var ids []string
	for _, one := range due {
		ids = append(ids, one.SagaID)
	}
	return ids
}

func historyPages(w *World) {
	t := w.t
	in := w.Start(saga.Start{Actor: "somebody"})
	w.Complete(in.ID)
	all, _, err := w.History(t.Context(), in.ID, record.Page{})
	require.NoError(t, err)
	require.Greater(t, len(all), 4)
	for i, entry := range all {
		assert.Equal(t, int64(i+1), entry.Seq)
		assert.Equal(t, in.ID, entry.SagaID)
		assert.Equal(t, time.UTC, entry.At.Location())
	}
	assert.Equal(t, saga.EntryStarted, all[0].Type)
	page, _, err := w.History(t.Context(), in.ID, record.Page{After: "1", Limit: 2})
	require.NoError(t, err)
	assert.Equal(t, all[1:3], page)
	page, _, err = w.History(t.Context(), in.ID, record.Page{After: fmt.Sprint(len(all))})
	require.NoError(t, err)
	assert.Empty(t, page)
}

func historyPageRefused(w *World) {
	t := w.t
	in := w.Start(saga.Start{})
	for _, after := range []string{"x", "-1", "1.5", "99999999999999999999"} {
		_, _, err := w.History(t.Context(), in.ID, record.Page{After: after})
		require.ErrorIs(t, err, record.ErrPageNotFound, after)
	}
}

func historyNotFound(w *World) {
	t := w.t
	_, _, err := w.History(t.Context(), NewID(), record.Page{})
	require.ErrorIs(t, err, record.ErrSagaNotFound)
}
