package storetest

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

const otherBody = `{"description": "<one> & only", "steps": [{"name": "pay", "command": "payments.pay", "timeout": "7s"}]}`

func definitionRules() map[string]rule {
	return map[string]rule{
		"the same definition again changes nothing":             with(sameDefinition),
		"another definition is the next version":                with(anotherDefinition),
		"an earlier definition becomes a new version again":     with(earlierDefinition),
		"a definition is returned as it was put":                with(definitionComesBack),
		"an unregistered definition is not found":               with(definitionNotFound),
		"the list has the latest of each, by name and in pages": with(definitionList),
		"the queues of every version are known":                 with(queuesOfAllVersions),
	}
}

func sameDefinition(f *Fixture) {
	t := f.t
	first, created, err := f.PutDefinition(t.Context(), Definition(t, "pay", otherBody))
	require.NoError(t, err)
	assert.True(t, created)
	assert.Equal(t, 1, first.Version)
	spelledOut := `{ "steps": [{"timeout": "7000ms", "queue": "payments", "command": "payments.pay", "name": "pay",
		"kind": "compensatable", "after": []}], "description": "<one> & only"}`
	again, created, err := f.PutDefinition(t.Context(), Definition(t, "pay", spelledOut))
	require.NoError(t, err)
	assert.False(t, created)
	assert.Equal(t, first, again)
}

func anotherDefinition(f *Fixture) {
	t := f.t
	second, created, err := f.PutDefinition(t.Context(), Definition(t, "order", otherBody))
	require.NoError(t, err)
	assert.True(t, created)
	assert.Equal(t, 2, second.Version)
	latest, err := f.LatestDefinition(t.Context(), "order")
	require.NoError(t, err)
	assert.Equal(t, second, latest)
	first, err := f.Definition(t.Context(), "order", 1)
	require.NoError(t, err)
	assert.Equal(t, f.Order, first)
	versions, _, err := f.DefinitionVersions(t.Context(), "order", record.Page{})
	require.NoError(t, err)
	require.Len(t, versions, 2)
	assert.Equal(t, second, versions[0], "newest first")
}

func earlierDefinition(f *Fixture) {
	t := f.t
	_, _, err := f.PutDefinition(t.Context(), Definition(t, "order", otherBody))
	require.NoError(t, err)
	third, created, err := f.PutDefinition(t.Context(), Definition(t, "order", orderBody))
	require.NoError(t, err)
	assert.True(t, created)
	assert.Equal(t, 3, third.Version)
}

func definitionComesBack(f *Fixture) {
	t := f.t
	put := Definition(t, "pay", otherBody)
	registered, _, err := f.PutDefinition(t.Context(), put)
	require.NoError(t, err)
	assert.Zero(t, put.Version, "PutDefinition does not change its argument")
	assert.False(t, registered.CreatedAt.IsZero())
	read, err := f.DefinitionVersion(t.Context(), "pay", 1)
	require.NoError(t, err)
	assert.Equal(t, registered, read)
	before, err := put.MarshalJSON()
	require.NoError(t, err)
	after, err := read.MarshalJSON()
	require.NoError(t, err)
	assert.Equal(t, string(before), string(after))
}

func definitionNotFound(f *Fixture) {
	t := f.t
	_, err := f.Definition(t.Context(), "order", 2)
	require.ErrorIs(t, err, record.ErrDefinitionNotFound)
	_, err = f.DefinitionVersion(t.Context(), "other", 1)
	require.ErrorIs(t, err, record.ErrDefinitionNotFound)
	_, err = f.LatestDefinition(t.Context(), "other")
	require.ErrorIs(t, err, record.ErrDefinitionNotFound)
	_, _, err = f.DefinitionVersions(t.Context(), "other", record.Page{})
	require.ErrorIs(t, err, record.ErrDefinitionNotFound)
}

func definitionList(f *Fixture) {
	t := f.t
	for _, name := range []string{"zebra", "ant-1", "ant", "order"} {
		_, _, err := f.PutDefinition(t.Context(), Definition(t, name, otherBody))
		require.NoError(t, err)
	}
	list := func(page record.Page) []string {
		found, _, err := f.Definitions(t.Context(), page)
		require.NoError(t, err)
		names := make([]string, len(found))
		for i, d := range found {
			names[i] = d.Name
			if d.Name == "order" {
				assert.Equal(t, 2, d.Version)
			}
		}
		return names
	}
	assert.Equal(t, []string{"ant", "ant-1", "order", "zebra"}, list(record.Page{}))
	assert.Equal(t, []string{"ant", "ant-1"}, list(record.Page{Limit: 2}))
	assert.Equal(t, []string{"order", "zebra"}, list(record.Page{After: "ant-1", Limit: 2}))
	assert.Empty(t, list(record.Page{After: "zebra"}))
}

func queuesOfAllVersions(f *Fixture) {
	t := f.t
	_, _, err := f.PutDefinition(t.Context(), Definition(t, "order",
		`{"steps": [{"name": "a", "command": "x.do", "queue": "Zoo"}, {"name": "b", "command": "x.do", "queue": "payments"}]}`))
	require.NoError(t, err)
	queues, err := f.Queues(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"Zoo", "inventory", "orders", "payments"}, queues)
}
