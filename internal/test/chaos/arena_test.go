package chaos

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/test/env/servers"
)

// arena is a private Postgres and a private RabbitMQ, which one scenario at a time may break.
type arena struct {
	session *servers.Session
	env     map[string]string
}

// arenas are as many as scenarios run side by side; each is made when it is first needed, and used again by the next
// scenario unless one has failed in it.
type arenas struct {
	free chan *arena // nil stands for one that is still to be made

	mu  sync.Mutex
	all []*arena
}

func newArenas(lanes int) *arenas {
	a := &arenas{free: make(chan *arena, lanes)}
	for range lanes {
		a.free <- nil
	}
	return a
}

// take waits for an arena that is the test's until it ends.
func (a *arenas) take(t *testing.T) *arena {
	t.Helper()
	got := <-a.free
	t.Cleanup(func() {
		if t.Failed() || got == nil || got.check() != nil {
			a.close(got)
			got = nil
		}
		a.free <- got
	})
	if got == nil {
		var err error
		got, err = openArena(t.Context(), "", servers.Postgres, servers.RabbitMQ)
		require.NoError(t, err)
		a.mu.Lock()
		a.all = append(a.all, got)
		a.mu.Unlock()
	}
	return got
}

// openArena starts servers with their files below a directory.
func openArena(ctx context.Context, parent string, names ...string) (*arena, error) {
	session, err := servers.Open(parent)
	if err != nil {
		return nil, err
	}
	env, err := session.Own(ctx, names...)
	if err != nil {
		session.Close()
		return nil, err
	}
	return &arena{session: session, env: env}, nil
}

func (a *arenas) close(one *arena) {
	if one == nil {
		return
	}
	one.session.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.all {
		if a.all[i] == one {
			a.all = append(a.all[:i], a.all[i+1:]...)
			return
		}
	}
}

func (a *arenas) closeAll() {
	for len(a.all) > 0 {
		a.close(a.all[0])
	}
}

func (a *arena) databaseURL() string { return a.env["DATABASE_URL"] }
func (a *arena) amqpURL() string     { return a.env["AMQP_URL"] }

// check says whether the next scenario can use the servers.
func (a *arena) check() error {
	ctx := context.Background()
	return errors.Join(servers.CheckPostgres(ctx, a.databaseURL()), servers.CheckRabbitMQ(ctx, a.amqpURL()))
}

func (a *arena) postgres(t *testing.T) *env.Server {
	t.Helper()
	return env.ServerIn(t, a.env["TESTENV_POSTGRES_DIR"])
}

func (a *arena) rabbitmq(t *testing.T) *env.Server {
	t.Helper()
	return env.ServerIn(t, a.env["TESTENV_RABBITMQ_DIR"])
}

// control runs rabbitmqctl on the arena's broker and returns what it says.
func (a *arena) control(t *testing.T, arguments ...string) string {
	t.Helper()
	script := `. "$1"; shift; exec "$@"`
	program := filepath.Join(a.env["TESTENV_RABBITMQ_BIN"], "rabbitmqctl")
	settings := filepath.Join(a.env["TESTENV_RABBITMQ_DIR"], "env")
	command := exec.Command("/bin/sh", append([]string{"-c", script, "sh", settings, program, "--quiet"}, arguments...)...)
	command.Env = os.Environ()
	output, err := command.CombinedOutput()
	require.NoError(t, err, "rabbitmqctl %v: %s", arguments, output)
	return string(output)
}
