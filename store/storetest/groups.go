package storetest

import (
	"slices"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

func groupRules() map[string]rule {
	return map[string]rule{
		"sagas that need attention are grouped, the largest group first": with(groupsBySize),
		"groups can be limited to one definition":                        with(groupsOfADefinition),
		"a list by a group's step and code has just its sagas":           with(groupsSelect),
	}
}

// stuck returns a saga whose first step's compensation fails finally with this code.
func (f *Fixture) stuck(code string) saga.Instance {
	f.t.Helper()
	id := f.Start(saga.Start{}).ID
	failed := Compensated(id, "reserve")
	failed.Succeeded, failed.Error = false, &saga.ReplyError{Code: code, Message: "no"}
	return f.Apply(id, Succeed(id, "reserve", `{}`), Fail(id, "charge"), failed)
}

func groupsBySize(f *Fixture) {
	t := f.t
	f.Start(saga.Start{})
	first := f.stuck("locked")
	f.stuck("gone")
	last := f.stuck("locked")
	late := f.lateEffect("")
	found, err := f.Groups(t.Context(), nil, "")
	require.NoError(t, err)
	assert.EqualValues(t, 4, found.Sagas)
	require.Len(t, found.Groups, 3)
	assert.Equal(t, record.Group{
		Definition: "order", Reason: saga.CompensationExhausted, Step: "reserve", ErrorCode: "locked", Sagas: 2,
		Oldest: first.Attention.Since, Newest: last.Attention.Since, Example: first.ID,
	}, found.Groups[0])
	assert.Equal(t, "gone", found.Groups[1].ErrorCode)
	assert.Equal(t, record.Group{
		Definition: "order", Reason: saga.LateEffect, Step: late.Attention.Step, Sagas: 1,
		Oldest: late.Attention.Since, Newest: late.Attention.Since, Example: late.ID,
	}, found.Groups[2])
}

func groupsOfADefinition(f *Fixture) {
	t := f.t
	f.stuck("locked")
	for definition, sagas := range map[string]int64{"order": 1, "other": 0, "no\x00name": 0} {
		found, err := f.Groups(t.Context(), nil, definition)
		require.NoError(t, err)
		assert.Equal(t, sagas, found.Sagas, definition)
		assert.Len(t, found.Groups, int(sagas), definition)
	}
}

func groupsSelect(f *Fixture) {
	t := f.t
	f.Start(saga.Start{})
	locked := []string{f.stuck("locked").ID, f.stuck("locked").ID}
	slices.Reverse(locked)
	late := f.lateEffect("").ID
	cases := map[string]struct {
		filter record.Filter
		want   []string
	}{
		"step":         {record.Filter{Step: new("reserve"), AttentionReasons: []saga.AttentionReason{saga.CompensationExhausted}}, locked},
		"other step":   {record.Filter{Step: new("charge")}, nil},
		"no step":      {record.Filter{Step: new("")}, nil},
		"code":         {record.Filter{ErrorCode: new("locked")}, locked},
		"other code":   {record.Filter{ErrorCode: new("gone")}, nil},
		"no code":      {record.Filter{ErrorCode: new("")}, []string{late}},
		"not storable": {record.Filter{ErrorCode: new("\x00")}, nil},
		"step, code and definition": {
			record.Filter{Step: new("reserve"), ErrorCode: new("locked"), Definition: new("order")}, locked,
		},
	}
	for name, c := range cases {
		assert.Equal(t, append([]string{}, c.want...), f.list(c.filter, record.Page{}), name)
		if len(c.want) > 1 {
			assert.Equal(t, c.want[:1], f.list(c.filter, record.Page{Limit: 1}), name)
		}
	}
}
