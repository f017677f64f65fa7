package main

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/archive"
)

func TestArchiveFind(t *testing.T) {
	t.Parallel()
	directory := filepath.Join(t.TempDir(), "archive")
	kept, err := archive.Open(directory, nil)
	require.NoError(t, err)
	line := func(revision int) string {
		return fmt.Sprintf(`{"saga":{"id":"01JD0000000000000000000000","revision":%d},"history":[]}`, revision)
	}
	for _, revision := range []int{7, 9, 9, 8} { // a server that was held up wrote an older state last
		require.NoError(t, kept.Append([][]byte{[]byte(line(revision))}))
	}
	assert.Equal(t, result{out: line(9) + "\n"}, execute(t, "", "archive", "find", "01JD0000000000000000000000", "--archive-dir", directory))
	assert.Equal(t, result{out: line(9) + "\n"}, execute(t, "", "archive", "find", "01jd0000000000000000000000", "--archive-dir", directory))
	missing := execute(t, "", "archive", "find", "01JD0000000000000000000001", "--archive-dir", directory)
	assert.Equal(t, exitFailed, missing.code)
	assert.Contains(t, missing.err, "01JD0000000000000000000001")
	assert.NotEqual(t, exitDone, execute(t, "", "archive", "find", "01JD0000000000000000000000", "--archive-dir", directory+"x").code)
}

func TestFlagsOfRetentionHaveLimits(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{
		"--retain-completed=1ms", "--retain-undone=-1h", "--retain-keys=36501d", "--retain-dead-letters=x",
		"--retention-interval=0s", "--retention-interval=25h",
	} {
		refused := execute(t, "", "dev", flag)
		assert.Equal(t, exitUsage, refused.code, flag)
		assert.Contains(t, refused.err, "must be a duration", flag)
	}
}
