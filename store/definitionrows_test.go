package store_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/store"
)

// SQL can store a definition of a hundred megabytes. Its body is not loaded, whether Postgres could compress it or not.
func TestADefinitionThatIsTooLargeIsNotLoaded(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	s, d := open(t, store.Config{DatabaseURL: url}), damage{t, connect(t, url)}
	const put = `insert into definitions (name, version, hash, body, queues, created_at) `
	d.exec(put + `select 'even', 1, decode(repeat('02', 32), 'hex'), ('"' || repeat('y', 20000000) || '"')::json, '{hq}', now()`)
	d.exec(put + `select 'odd', 1, decode(repeat('02', 32), 'hex'),
		('"' || string_agg(md5(i::text), '') || '"')::json, '{hq}', now() from generate_series(1, 300000) i`)
	d.exec(put+`values ('whole', 1, decode(repeat('02', 32), 'hex'), $1::text::json, '{hq}', now())`,
		`{"steps":[{"name":"a","command":"b.c"}]`+strings.Repeat(" ", saga.MaxStoredBytes-40)+`}`)

	found, _, err := s.Definitions(t.Context(), record.Page{Limit: 10})
	require.NoError(t, err)
	require.Len(t, found, 3)
	const fault = "no body, or one of more than 4194304 bytes"
	for _, one := range found[:2] {
		require.ErrorIs(t, one.Unreadable, record.ErrUnreadable)
		assert.ErrorContains(t, one.Unreadable, fault)
		_, err = s.LatestDefinition(t.Context(), one.Name)
		require.ErrorContains(t, err, fault)
		_, err = s.Definition(t.Context(), one.Name, 1)
		require.ErrorContains(t, err, fault)
		versions, _, err := s.DefinitionVersions(t.Context(), one.Name, record.Page{Limit: 10})
		require.NoError(t, err)
		require.ErrorContains(t, versions[0].Unreadable, fault)
	}
	require.NoError(t, found[2].Unreadable)
	whole, err := s.Definition(t.Context(), "whole", 1)
	require.NoError(t, err)
	require.Equal(t, "a", whole.Steps[0].Name)
	again, created, err := s.PutDefinition(t.Context(), &saga.Definition{Name: "odd", Steps: whole.Steps})
	require.NoError(t, err)
	require.True(t, created)
	require.Equal(t, 2, again.Version)
}
