package process

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shell runs a script as a Program.
func shell(ctx context.Context, script string) (*Process, string, error) {
	return Program{Name: "script", Path: "/bin/sh", Environment: []string{"WORD=ready"}, Arguments: []string{"-c", script}}.Start(ctx)
}

func TestTheFirstLineMeansReady(t *testing.T) {
	t.Parallel()
	p, line, err := shell(t.Context(), `echo "to be kept" >&2; printf "I am "; echo "$WORD"; echo more; exec sleep 600`)
	require.NoError(t, err)
	assert.Equal(t, "I am ready", line)
	require.Eventually(t, func() bool { return len(p.output.tail()) > len("to be kept\nI am ready") }, 10*time.Second, time.Millisecond)
	assert.Contains(t, p.output.tail(), "to be kept")
	require.NoError(t, p.Stop())
	require.NoError(t, p.Stop(), "the process has already ended")
}

func TestAnUnexpectedEndIsReportedWithTheOutput(t *testing.T) {
	t.Parallel()
	_, _, err := shell(t.Context(), `echo "the port is taken" >&2; exit 3`)
	assert.ErrorContains(t, err, "the port is taken")
	assert.ErrorContains(t, err, "exit status 3")

	p, _, err := shell(t.Context(), `echo ready; echo "out of memory" >&2; exit 4`)
	require.NoError(t, err)
	<-p.Ended()
	assert.ErrorContains(t, p.Fault(), "out of memory")
	assert.ErrorContains(t, p.Fault(), "exit status 4")
	require.NoError(t, p.Stop())
}

func TestAMissingProgramIsAnError(t *testing.T) {
	t.Parallel()
	_, _, err := Program{Name: "script", Path: "/does/not/exist"}.Start(t.Context())
	assert.ErrorContains(t, err, "start the script")
}

func TestACancelledStartLeavesNoProcess(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, _, err := shell(ctx, "exec sleep 600")
	assert.ErrorIs(t, err, context.Canceled)
}

func TestOnlyTheEndOfALongOutputIsStored(t *testing.T) {
	t.Parallel()
	o := newOutput()
	for range 10_000 {
		_, err := o.Write([]byte("0123456789"))
		require.NoError(t, err)
	}
	assert.Len(t, o.tail(), keptOutput)
}
