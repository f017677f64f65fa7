package steps_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// runWorkerProcess runs a worker process through a script. It returns what the process printed and whether it was
// killed.
func runWorkerProcess(t *testing.T, database, script string, killAt int) (output string, killed bool) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	child := exec.CommandContext(t.Context(), self)
	child.Env = append(os.Environ(), childDatabase+"="+database, childScript+"="+script, fmt.Sprintf("%s=%d", childKillAt, killAt),
		"GORACE=atexit_sleep_ms=0") // the race detector keeps a process for a second otherwise
	var printed, faults bytes.Buffer
	child.Stdout, child.Stderr = &printed, &faults
	err = child.Run()
	if exit, exited := errors.AsType[*exec.ExitError](err); exited {
		status, ok := exit.Sys().(syscall.WaitStatus)
		killed = ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	}
	require.True(t, err == nil || killed, "the worker process failed: %v: %s", err, faults.String())
	return printed.String(), killed
}

// A worker process is killed at every moment of its conversation with the database. Its commands are delivered again to
// a process that is killed at the same moment, and then to one that survives. Each effect must exist exactly once.
func TestAWorkerKilledAtAnyMomentHasEachEffectOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		script  string
		effects []string
		last    string // the last line that the process prints
	}{
		"a command":                   {"execute/1", []string{"charge"}, `saga-1/charge/execute/1 {"status":"succeeded","output":{"chargeId":"c-7"}}`},
		"a command, its compensation": {"execute/1 compensate/1", []string{"charge", "refund"}, `saga-1/charge/compensate/1 {"status":"succeeded"}`},
		"a compensation, its command": {"compensate/1 execute/1", []string{}, `saga-1/charge/execute/1 {"status":"failed","error":{"code":"compensated_already","message":"the step was compensated before this command came","retryable":false}}`},
		"a compensation done twice":   {"execute/1 compensate/1 compensate-2/1", []string{"charge", "refund"}, `saga-1/charge/compensate-2/1 {"status":"succeeded"}`},
		"duplicates at the same time": {"execute/1+execute/2 compensate/1+compensate/1", []string{"charge", "refund"}, `saga-1/charge/compensate/1 {"status":"succeeded"}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPaymentService(t)
			database := s.pool.Config().ConnString()
			moments := 0
			for {
				_, err := s.pool.Exec(t.Context(), "TRUNCATE effects, saga_barrier")
				require.NoError(t, err)
				_, killed := runWorkerProcess(t, database, test.script, moments+1)
				if killed {
					moments++
					runWorkerProcess(t, database, test.script, moments)
				}
				printed, _ := runWorkerProcess(t, database, test.script, 0)
				lines := strings.Split(strings.TrimSpace(printed), "\n")
				require.Equal(t, test.last, lines[len(lines)-1], "killed at moment %d", moments)
				require.Equal(t, test.effects, s.effects(), "killed at moment %d", moments)
				if !killed {
					break
				}
			}
			assert.Greater(t, moments, 10, "the process must have been killed")
			t.Logf("killed at %d moments", moments)
		})
	}
}
