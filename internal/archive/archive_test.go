package archive_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/archive"
)

func line(id string, n int) []byte {
	return fmt.Appendf(nil, `{"saga":{"id":%q},"history":[{"n":%d,"text":%q}]}`, id, n, strings.Repeat("x", n%1000))
}

func find(t *testing.T, path, id string) (lines []string) {
	t.Helper()
	require.NoError(t, archive.Find(path, id, func(line []byte) error { lines = append(lines, string(line)); return nil }))
	return lines
}

func TestLinesAreFoundInTheFilesOfTheirDays(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new")
	now := time.Date(2026, 1, 31, 23, 59, 0, 0, time.FixedZone("", 3600)) // 22:59 UTC
	kept, err := archive.Open(path, func() time.Time { return now })
	require.NoError(t, err)
	for n := range 300 {
		require.NoError(t, kept.Append([][]byte{line("a", n), line(fmt.Sprint("b", n), n)}))
	}
	now = now.Add(2 * time.Hour)
	require.NoError(t, kept.Append([][]byte{line("b7", 8)}))
	files, err := filepath.Glob(filepath.Join(path, "*"))
	require.NoError(t, err)
	assert.Equal(t, []string{filepath.Join(path, "sagas-2026-01-31.jsonl.gz"), filepath.Join(path, "sagas-2026-02-01.jsonl.gz")}, files)
	assert.Len(t, find(t, path, "a"), 300)
	assert.Equal(t, []string{string(line("b7", 7)), string(line("b7", 8))}, find(t, path, "b7"))
	assert.Empty(t, find(t, path, "b"))
}

func TestAMemberThatACrashCutHidesNoOther(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	kept, err := archive.Open(path, nil)
	require.NoError(t, err)
	require.NoError(t, kept.Append([][]byte{line("a", 1)}))
	files, err := filepath.Glob(filepath.Join(path, "*"))
	require.NoError(t, err)
	first, err := os.ReadFile(files[0])
	require.NoError(t, err)
	for cut := range first { // what is left of a second member
		require.NoError(t, os.WriteFile(files[0], append(append([]byte{}, first...), first[:cut]...), 0o600))
		require.NoError(t, kept.Append([][]byte{line("b", 2)}))
		require.Len(t, find(t, path, "b"), 1, "cut at %d", cut)
		require.Len(t, find(t, path, "a"), 1, "cut at %d", cut)
	}
}

func TestAnArchiveThatIsMissingIsAnError(t *testing.T) {
	t.Parallel()
	require.Error(t, archive.Find(filepath.Join(t.TempDir(), "missing"), "a", func([]byte) error { return nil }))
}
