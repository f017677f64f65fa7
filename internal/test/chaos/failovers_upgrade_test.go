package chaos

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// buildBefore builds the orchestrator as it was before a file of the source came, and returns its path.
func buildBefore(t *testing.T, file string) string {
	t.Helper()
	const root = "../../.."
	git := func(arguments ...string) string {
		command := exec.CommandContext(t.Context(), "git", arguments...)
		command.Dir = root
		out, err := command.Output()
		require.NoError(t, err, "git %v: the test builds the version before from the history; clone all of it: git fetch --unshallow", arguments)
		return strings.TrimSpace(string(out))
	}
	require.Equal(t, "false", git("rev-parse", "--is-shallow-repository"), "the test builds the version before from the history: git fetch --unshallow")
	added := git("log", "-1", "--diff-filter=A", "--format=%H", "--", file)
	require.NotEmpty(t, added, "%s is not committed", file)
	folder := t.TempDir()
	archive := filepath.Join(folder, "source.tar")
	git("archive", "--output="+archive, added+"^")
	out, err := exec.CommandContext(t.Context(), "tar", "-xf", archive, "-C", folder).CombinedOutput()
	require.NoError(t, err, string(out))
	program := filepath.Join(folder, "orchestrator-before")
	build := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", program, "./cmd/orchestrator")
	build.Dir = folder
	out, err = build.CombinedOutput()
	require.NoError(t, err, string(out))
	t.Logf("the version before is %s, without %s", git("rev-parse", "--short", added+"^"), file)
	return program
}

// versionBefore makes the replicas those of the version before the newest migration.
func versionBefore(fx *fixture) {
	files, err := filepath.Glob("../../../migrations/*.sql")
	require.NoError(fx.t, err)
	fx.program = buildBefore(fx.t, "migrations/"+filepath.Base(slices.Max(files)))
}

// migrateUp migrates the schema to that of this source.
func (fx *fixture) migrateUp() {
	fx.t.Helper()
	migrating := exec.CommandContext(fx.t.Context(), built.path(fx.t, "cmd/orchestrator", false), "migrate", "up")
	migrating.Env = append(os.Environ(), "DATABASE_URL="+fx.database)
	out, err := migrating.CombinedOutput()
	require.NoError(fx.t, err, string(out))
}

// upgrade replaces a replica by one that is built from this source.
func (fx *fixture) upgrade(p *process) {
	fx.t.Helper()
	p.signal(syscall.SIGTERM)
	_, ended := p.now()
	select {
	case <-ended:
	case <-time.After(15 * time.Second):
		require.FailNow(fx.t, "a replica of the version before did not end")
	}
	p.program = built.path(fx.t, "cmd/orchestrator", false)
	p.start()
	fx.ready()
}

// rollOver migrates the schema, and then replaces one replica after the other. Both versions run beside each other meanwhile.
func rollOver(fx *fixture) int {
	fx.migrateUp()
	fx.let(lasting(5*time.Second, 2*time.Second))
	for _, p := range fx.replicas {
		whole := fx.broken()
		fx.upgrade(p)
		whole()
		fx.let(lasting(5*time.Second, 2*time.Second))
	}
	return len(fx.replicas)
}
