package ui

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func at(n float64) *resource.Time { return &resource.Time{Time: second(n)} }

// twoSteps is a saga whose second step overwrites a member of the first.
func twoSteps() resource.Saga {
	return resource.Saga{
		Data: json.RawMessage(`{"order":"7","price":120,"risk":3}`),
		Steps: []resource.SagaStep{
			{Name: "second", StartedAt: at(2), FinishedAt: at(3), Output: json.RawMessage(`{"price":120}`)},
			{Name: "first", StartedAt: at(0), FinishedAt: at(1), Output: json.RawMessage(`{"price":100,"risk":3}`)},
			{Name: "never"},
		},
	}
}

func TestEachMemberOfTheDataNamesWhatSetIt(t *testing.T) {
	t.Parallel()
	from := func(history ...resource.HistoryEntry) (all []string) {
		for _, m := range membersOf(objectOf(twoSteps().Data), finished(twoSteps().Steps), history) {
			all = append(all, m.Name+" "+m.From)
		}
		return all
	}
	assert.Equal(t, []string{"order start", "price second", "risk first"}, from())
	assert.Equal(t, []string{"order start or operator", "price second", "risk first"}, from(entry(4, saga.EntryDataPatched, "", 0)))
	changed := twoSteps()
	changed.Data = json.RawMessage(`{"price":99}`)
	assert.Equal(t, "an operator", membersOf(objectOf(changed.Data), finished(changed.Steps), []resource.HistoryEntry{entry(4, saga.EntryDataPatched, "", 0)})[0].From)
}

func TestTheOutputOfAStepIsShownAsAChange(t *testing.T) {
	t.Parallel()
	changes := changesOf(finished(twoSteps().Steps))
	require.Len(t, changes["first"], 2)
	assert.True(t, changes["first"][0].Added)
	require.Len(t, changes["second"], 1)
	assert.False(t, changes["second"][0].Added)
	assert.Equal(t, "100", string(changes["second"][0].Before))
}

func TestTheInputOfAStepIsWhatWasThereBefore(t *testing.T) {
	t.Parallel()
	s := twoSteps()
	text := func(step int, history ...resource.HistoryEntry) (string, bool, []string) {
		input, patched, lacking := inputOf(objectOf(s.Data), finished(s.Steps), s.Steps[step], history)
		content, err := json.Marshal(input)
		require.NoError(t, err)
		return string(content), patched, lacking
	}
	first, patched, lacking := text(1)
	assert.JSONEq(t, `{"order":"7"}`, first)
	assert.False(t, patched)
	assert.Equal(t, []string{"price", "risk"}, lacking, "the saga may have started with other values of them")
	second, patched, lacking := text(0)
	assert.JSONEq(t, `{"order":"7","price":100,"risk":3}`, second)
	assert.False(t, patched)
	assert.Empty(t, lacking)
	_, patched, _ = text(0, entry(2.5, saga.EntryDataPatched, "", 0))
	assert.True(t, patched)
	never, _, _ := text(2)
	assert.Equal(t, "null", never)
}

func TestAMergePatchHasOnlyWhatWasChanged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, to, patch string }{
		{`{"a":1,"b":2}`, `{"a":1,"b":3}`, `{"b":3}`},
		{`{"a":1,"b":2}`, `{"a": 1}`, `{"b":null}`},
		{`{"a":{"x":1,"y":2}}`, `{"a":{"x":1,"y":3,"z":[1]}}`, `{"a":{"y":3,"z":[1]}}`},
		{`{"a":[1]}`, `{"a":{"x":1}}`, `{"a":{"x":1}}`},
		{`{}`, `{}`, `{}`},
		{`{"n":null}`, `{"n":null}`, `{}`},
	} {
		patch, ok := mergePatch(objectOf(json.RawMessage(c.from)), objectOf(json.RawMessage(c.to)))
		require.True(t, ok)
		content, err := json.Marshal(patch)
		require.NoError(t, err)
		assert.JSONEq(t, c.patch, string(content), "from %s to %s", c.from, c.to)
	}
	for _, to := range []string{`{"a":null}`, `{"a":{"b":null}}`} {
		_, ok := mergePatch(object{}, objectOf(json.RawMessage(to)))
		assert.False(t, ok, "a merge patch cannot set a member to null")
	}
}

func TestVersionsAreComparedByLines(t *testing.T) {
	t.Parallel()
	_, same := diff("a\nb", "a\nb")
	assert.True(t, same)
	lines, same := diff("1\n2\n3\n4\n5\n6\n7\n8\n9", "1\n2\n3\n4\n5\n6\n7\n8\nnine\nten")
	assert.False(t, same)
	assert.Equal(t, []diffLine{
		{"…", ""}, {" ", "6"}, {" ", "7"}, {" ", "8"}, {"-", "9"}, {"+", "nine"}, {"+", "ten"},
	}, lines)
}

func TestFiltersOfAnAddressBecomeThoseOfABulkAction(t *testing.T) {
	t.Parallel()
	all, lists := sagaFilters()
	query := chosen(map[string][]string{
		"definition": {"order"}, "status": {"stuck", "paused"}, "attention": {"true"}, "version": {"2"}, "key": {" "},
		"label": {"a=b"}, "unknown": {"x"}, "created_after": {"2026-11-28T21:00"},
	}, all)
	assert.JSONEq(t, `{"definition":"order","status":["stuck","paused"],"attention":true,"version":2,"label":["a=b"],
		"created_after":"2026-11-28T21:00:00Z"}`, string(filterJSON(query, lists)))
	for _, chip := range chipsOf(query, "/ui/sagas") {
		if chip.Value == "paused" {
			assert.Contains(t, chip.Without, "status=stuck")
			assert.NotContains(t, chip.Without, "paused")
		}
	}
}

func TestNumbersAndTimesAreReadable(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "1,234,567", number(1234567))
	assert.Equal(t, "-1,234", number(-1234))
	assert.Equal(t, "–", count((*int)(nil)))
	assert.Equal(t, "5m 0s ago", since(second(0), second(300)))
	assert.Equal(t, "in 1d 1h", ahead(second(90000), second(0)))
	assert.Equal(t, "at an unknown time", ahead((*resource.Time)(nil), second(0)))
	assert.Equal(t, `'it'\''s'`, quoted("it's"))
	assert.Equal(t, "a-b", quoted("a-b"))
	assert.Equal(t, "abc…", cut("abcdef", 4))
}
