package main

import (
	"bufio"
	"context"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/servers"
)

// report is a command that prints its environment and exits with the code that it reads.
const report = `env; echo; read -r code; exit "$code"`

func TestTheExitCodeIsTheCommandsAndEverythingIsRemoved(t *testing.T) {
	t.Parallel()
	run := begin(t, "DATABASE_URL=", "AMQP_URL=")
	require.NoError(t, servers.CheckPostgres(t.Context(), run.env["DATABASE_URL"]))
	require.NoError(t, servers.CheckRabbitMQ(t.Context(), run.env["AMQP_URL"]))

	_, err := run.stdin.WriteString("7\n")
	require.NoError(t, err)

	assert.Equal(t, 7, run.wait(t))
	run.assertNothingLeft(t, "DATABASE_URL", "AMQP_URL")
}

func TestAGivenServerIsUsedAsItIs(t *testing.T) {
	t.Parallel()
	broker, _ := env.Broker(t)
	run := begin(t, "DATABASE_URL=", "AMQP_URL="+broker)
	assert.Equal(t, broker, run.env["AMQP_URL"])
	assert.NotEqual(t, os.Getenv("DATABASE_URL"), run.env["DATABASE_URL"])

	_, err := run.stdin.WriteString("0\n")
	require.NoError(t, err)

	assert.Equal(t, 0, run.wait(t))
	require.NoError(t, servers.CheckRabbitMQ(t.Context(), broker))
}

func TestEverythingIsRemovedAfterASignal(t *testing.T) {
	t.Parallel()
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		run := begin(t, "DATABASE_URL=")
		require.NoError(t, run.cmd.Process.Signal(signal))
		assert.Equal(t, 128+int(syscall.SIGTERM), run.wait(t), "the command is asked to end, and its code passed on")
		run.assertNothingLeft(t, "DATABASE_URL")
	}
}

func TestEverythingIsRemovedAfterAKill(t *testing.T) {
	t.Parallel()
	run := begin(t, "DATABASE_URL=")
	require.NoError(t, run.cmd.Process.Kill())
	run.wait(t)
	run.assertNothingLeft(t, "DATABASE_URL")
}

func TestADeadServerIsRestartedUnlessItIsHeldDown(t *testing.T) {
	run := begin(t, "DATABASE_URL=")
	t.Setenv("TESTENV_POSTGRES_DIR", run.env["TESTENV_POSTGRES_DIR"])
	up := func() bool { return servers.CheckPostgres(context.Background(), run.env["DATABASE_URL"]) == nil }
	postgres := env.Postgres(t)

	postgres.Stop(syscall.SIGKILL)
	assert.Never(t, up, 300*time.Millisecond, 20*time.Millisecond)
	postgres.Start()
	assert.Eventually(t, up, 30*time.Second, 50*time.Millisecond)

	before, err := os.ReadFile(filepath.Join(run.env["TESTENV_POSTGRES_DIR"], "pid"))
	require.NoError(t, err)
	postgres.Signal(syscall.SIGQUIT)
	assert.Eventually(t, func() bool {
		now, err := os.ReadFile(filepath.Join(run.env["TESTENV_POSTGRES_DIR"], "pid"))
		return err == nil && len(now) > 0 && string(now) != string(before) && up()
	}, 30*time.Second, 50*time.Millisecond)
}

// running is the program under test, with the environment that its command got.
type running struct {
	cmd   *exec.Cmd
	stdin *os.File
	env   map[string]string
}

// begin builds and starts the program, and returns once its command runs.
func begin(t *testing.T, env ...string) *running {
	t.Helper()
	program := filepath.Join(t.TempDir(), "with-servers")
	out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, "%s", out)

	stdin, input, err := os.Pipe()
	require.NoError(t, err)
	cmd := exec.Command(program, "--", "/bin/sh", "-c", report)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdin, cmd.Stderr = stdin, os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	require.NoError(t, stdin.Close())
	run := &running{cmd: cmd, stdin: input, env: map[string]string{}}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // most tests have ended it already
		_ = cmd.Wait()
		_ = input.Close()
	})
	lines := bufio.NewScanner(stdout)
	for lines.Scan() && lines.Text() != "" {
		name, value, _ := strings.Cut(lines.Text(), "=")
		run.env[name] = value
	}
	require.NotEmpty(t, run.env["TESTENV_POSTGRES_DIR"], "the command was not run")
	return run
}

// wait returns the program's exit code.
func (r *running) wait(t *testing.T) int {
	t.Helper()
	var exit *exec.ExitError
	if err := r.cmd.Wait(); err != nil {
		require.ErrorAs(t, err, &exit)
	}
	return r.cmd.ProcessState.ExitCode()
}

// assertNothingLeft checks that the servers' files and listeners are gone. The guard gets a moment: after a kill it
// works alone.
func (r *running) assertNothingLeft(t *testing.T, variables ...string) {
	t.Helper()
	dir := filepath.Dir(r.env["TESTENV_POSTGRES_DIR"])
	assert.Eventually(t, func() bool {
		_, err := os.Stat(dir)
		return os.IsNotExist(err)
	}, 10*time.Second, 20*time.Millisecond, "%s is left", dir)
	for _, variable := range variables {
		server, err := url.Parse(r.env[variable])
		require.NoError(t, err)
		_, err = net.DialTimeout("tcp", server.Host, time.Second)
		assert.ErrorIs(t, err, syscall.ECONNREFUSED, "the server of %s still listens", variable)
	}
}
