package bench

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// shell runs a script as if it were a program of ours.
func shell(t *testing.T, script string) (*process, string, error) {
	t.Helper()
	return Options{Executable: "/bin/sh"}.startProcess(t.Context(), "script", []string{"WORD=ready"}, "-c", script)
}

func TestAProcessHasBegunWhenItSaysSo(t *testing.T) {
	t.Parallel()
	p, line, err := shell(t, `echo "to be kept" >&2; printf "I am "; echo "$WORD"; echo more; exec sleep 600`)
	require.NoError(t, err)
	assert.Equal(t, "I am ready", line)
	require.Eventually(t, func() bool { return len(p.output.tail()) > len("to be kept\nI am ready") }, 10*time.Second, time.Millisecond)
	assert.Contains(t, p.output.tail(), "to be kept")
	require.NoError(t, p.stop())
	require.NoError(t, p.stop(), "it has ended already")
}

func TestAProcessThatEndsByItselfSaysWhy(t *testing.T) {
	t.Parallel()
	_, _, err := shell(t, `echo "the port is taken" >&2; exit 3`)
	assert.ErrorContains(t, err, "the port is taken")
	assert.ErrorContains(t, err, "exit status 3")

	p, _, err := shell(t, `echo ready; echo "out of memory" >&2; exit 4`)
	require.NoError(t, err)
	a := &arena{processes: []*process{p}}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	a.watch(ctx, cancel)
	<-ctx.Done()
	assert.ErrorContains(t, context.Cause(ctx), "out of memory", "and ends the run")
	require.NoError(t, a.close(ctx))
}

func TestAProgramThatIsNotThere(t *testing.T) {
	t.Parallel()
	_, _, err := Options{Executable: "/does/not/exist"}.startProcess(t.Context(), "script", nil)
	assert.ErrorContains(t, err, "start the script")
}

func TestWhoIsNotPatientLeavesNoProcess(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, _, err := Options{Executable: "/bin/sh"}.startProcess(ctx, "script", nil, "-c", "exec sleep 600")
	assert.ErrorIs(t, err, context.Canceled)
}

func TestOnlyTheEndOfALongOutputIsKept(t *testing.T) {
	t.Parallel()
	o := newOutput()
	for range 10_000 {
		_, err := o.Write([]byte("0123456789"))
		require.NoError(t, err)
	}
	assert.Len(t, o.tail(), keptOutput)
}
