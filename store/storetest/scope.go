package storetest

import (
	"fmt"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func scopeRules() map[string]rule {
	return map[string]rule{
		"a scope limits lists of sagas":                 with(scopeOfSagas),
		"a scope limits counts, groups and definitions": with(scopeOfCounts),
		"a scope limits dead letters":                   with(scopeOfLetters),
		"a scope limits bulk actions and their targets": with(scopeOfBulks),
	}
}

// other starts a saga of the definition "other".
func (f *Fixture) other() saga.Instance {
	f.t.Helper()
	registered, _, err := f.PutDefinition(f.t.Context(), Definition(f.t, "other", orderBody))
	require.NoError(f.t, err)
	order := f.Order
	f.Order = registered.Definition
	defer func() { f.Order = order }()
	return f.Start(saga.Start{Key: "k" + NewID()})
}

func scopeOfSagas(f *Fixture) {
	t := f.t
	stuck, mine, other := f.stuck("locked"), f.Start(saga.Start{Key: "mine"}), f.other()
	order, third := "order", "third"
	all := []string{other.ID, mine.ID, stuck.ID}
	for i, c := range []struct {
		filter record.Filter
		want   []string
	}{
		{record.Filter{}, all},
		{record.Filter{Scope: record.Scope{"order"}}, all[1:]},
		{record.Filter{Scope: record.Scope{"order", "other", "third"}}, all},
		{record.Filter{Scope: record.Scope{"other", "third"}}, all[:1]},
		{record.Filter{Scope: record.Scope{"third"}}, nil},
		{record.Filter{Scope: record.Scope{"other", "third"}, Definition: &order}, nil},
		{record.Filter{Scope: record.Scope{"other", "third"}, Definition: &third}, nil},
		{record.Filter{Scope: record.Scope{"order", "third"}, Definition: &order}, all[1:]},
		{record.Filter{Scope: record.Scope{"other", "third"}, Key: &mine.Key}, nil},
		{record.Filter{Scope: record.Scope{"order", "third"}, Key: &mine.Key}, []string{mine.ID}},
		{record.Filter{Scope: record.Scope{"other", "third"}, NeedsAttention: true}, nil},
		{record.Filter{Scope: record.Scope{"order", "third"}, NeedsAttention: true}, []string{stuck.ID}},
		{record.Filter{Scope: record.Scope{"other", "third"}, Statuses: []saga.Status{saga.Stuck}}, nil},
		{record.Filter{Scope: record.Scope{"order", "other"}, Statuses: []saga.Status{saga.Running}}, all[:2]},
	} {
		for _, limit := range []int{0, 1, 50} {
			var got []string
			for page := (record.Page{Limit: limit}); ; {
				found, next, err := f.Sagas(t.Context(), c.filter, page)
				require.NoError(t, err)
				for _, one := range found {
					got = append(got, one.ID)
				}
				if page.After = next; next == "" {
					break
				}
			}
			assert.Equal(t, c.want, got, fmt.Sprint("case ", i, ", limit ", limit))
		}
	}
}

func scopeOfCounts(f *Fixture) {
	t := f.t
	f.stuck("locked")
	f.other()
	of := func(scope record.Scope) (sagas, attention, outbox, started, grouped int64, definitions []string) {
		stats, err := f.Stats(t.Context(), scope)
		require.NoError(t, err)
		for _, count := range stats.Counts {
			sagas += count.Sagas
		}
		groups, err := f.Groups(t.Context(), scope, "")
		require.NoError(t, err)
		found, _, err := f.Definitions(t.Context(), record.Page{Scope: scope})
		require.NoError(t, err)
		for _, d := range found {
			definitions = append(definitions, d.Name)
		}
		return sagas, stats.Attention[saga.CompensationExhausted], stats.OutboxPending, stats.StartedLastMinute, groups.Sagas, definitions
	}
	_, _, all, _, _, _ := of(nil)
	_, _, mine, _, _, _ := of(record.Scope{"order"})
	_, _, others, _, _, _ := of(record.Scope{"other"})
	assert.Equal(t, all, mine+others)
	assert.Positive(t, others)
	check := func(scope record.Scope, wanted ...any) {
		sagas, attention, _, started, grouped, definitions := of(scope)
		assert.Equal(t, wanted, []any{sagas, attention, started, grouped, definitions}, "%v", scope)
	}
	check(nil, int64(2), int64(1), int64(2), int64(1), []string{"order", "other"})
	check(record.Scope{"order"}, int64(1), int64(1), int64(1), int64(1), []string{"order"})
	check(record.Scope{"other", "third"}, int64(1), int64(0), int64(1), int64(0), []string{"other"})
	check(record.Scope{"third"}, int64(0), int64(0), int64(0), int64(0), []string(nil))
}

func scopeOfLetters(f *Fixture) {
	t := f.t
	mine, other := f.Start(saga.Start{}), f.other()
	f.putAside(
		record.DeadLetter{ID: "mine", Source: record.SourceReply, SagaID: mine.ID},
		record.DeadLetter{ID: "other", Source: record.SourceReply, SagaID: other.ID},
		record.DeadLetter{ID: "gone", Source: record.SourceReply, SagaID: NewID()},
		record.DeadLetter{ID: "start", Source: record.SourceStart},
	)
	for _, c := range []struct {
		scope record.Scope
		want  []string
	}{
		{nil, []string{"mine", "other", "gone", "start"}}, {record.Scope{"order"}, []string{"mine"}}, {record.Scope{"third"}, nil},
	} {
		found, _, err := f.DeadLetters(t.Context(), record.DeadLetterFilter{Scope: c.scope}, record.Page{Limit: 10})
		require.NoError(t, err)
		var got []string
		for _, letter := range found {
			got = append(got, letter.ID)
		}
		assert.ElementsMatch(t, c.want, got, "%v", c.scope)
		stats, err := f.Stats(t.Context(), c.scope)
		require.NoError(t, err)
		assert.EqualValues(t, len(c.want), stats.DeadLetters, "%v", c.scope)
	}
}

func scopeOfBulks(f *Fixture) {
	t := f.t
	mine, other := f.Start(saga.Start{}), f.other()
	f.putAside(record.DeadLetter{ID: "letter", Source: record.SourceReply, SagaID: other.ID})
	scope := record.Scope{"order", "third"}
	create := func(kind record.BulkKind, scope record.Scope, targets record.BulkTargets) string {
		created, err := f.CreateBulk(t.Context(), record.BulkAction{
			ID: NewID(), Kind: kind, Action: "pause", Filter: []byte(`{}`), Parameters: []byte(`{}`), Reason: "r", Actor: "a", Scope: scope,
		}, targets)
		require.NoError(t, err)
		items, _, err := f.BulkItems(t.Context(), created.ID, "", record.Page{Limit: 10})
		require.NoError(t, err)
		for _, item := range items {
			assert.Equal(t, mine.ID, item.Target)
		}
		found, err := f.Bulk(t.Context(), created.ID)
		require.NoError(t, err)
		assert.Equal(t, scope, found.Scope)
		return created.ID
	}
	both := []string{mine.ID, other.ID}
	limited := []string{
		create(record.BulkSagas, scope, record.BulkTargets{Sagas: &record.Filter{Scope: scope}}),
		create(record.BulkSagas, scope, record.BulkTargets{IDs: both, Scope: scope}),
		create(record.BulkDeadLetters, scope, record.BulkTargets{IDs: []string{"letter"}, Scope: scope}),
		create(record.BulkDeadLetters, scope, record.BulkTargets{DeadLetters: &record.DeadLetterFilter{Scope: scope}}),
	}
	create(record.BulkSagas, nil, record.BulkTargets{IDs: both[:1]})
	for _, c := range []struct {
		scope record.Scope
		want  int
	}{{nil, len(limited) + 1}, {scope, len(limited)}, {record.Scope{"order", "other", "third"}, len(limited)}, {record.Scope{"order"}, 0}} {
		found, _, err := f.Bulks(t.Context(), record.Page{Limit: 10, Scope: c.scope})
		require.NoError(t, err)
		assert.Len(t, found, c.want, "%v", c.scope)
	}
}
