package store

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// The ended sagas are counted in one scan of an index, without the table. The started ones are found by their time: only
// the newest rows are read. Groups read the sagas that need attention.
func TestStatisticsAndGroupsReadNoWholeTable(t *testing.T) {
	t.Parallel()
	s := filled(t, 60_000)
	err := s.survey(t.Context(), func(tx pgx.Tx) error {
		ended := explained(t, tx, countEnded+byMinuteOfEnd)
		assert.NotContains(t, ended, "Seq Scan")
		assert.Equal(t, 1, strings.Count(ended, "Index Only Scan using sagas_ended"), ended)
		unfinished := explained(t, tx, countUnfinished+byStatus)
		assert.NotContains(t, unfinished, "Seq Scan")
		assert.Contains(t, unfinished, "sagas_unfinished")
		groups := explained(t, tx, listGroups(), "", record.MaxGroups, []string(nil))
		assert.NotContains(t, groups, "Seq Scan")
		assert.Contains(t, groups, "sagas_attention")
		started := explained(t, tx, countStarted+byMinute)
		assert.NotContains(t, started, "Seq Scan")
		assert.Contains(t, started, "sagas_created")
		return nil
	})
	require.NoError(t, err)
}

func explained(t *testing.T, tx pgx.Tx, statement string, arguments ...any) string {
	t.Helper()
	rows, err := tx.Query(t.Context(), "explain "+statement, arguments...)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return strings.Join(lines, "\n")
}
