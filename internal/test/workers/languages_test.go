package workers

import (
	"bytes"
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/test/env/servers"
)

var (
	allLanguages = flag.Bool("workers.all", false, "run the workers in JavaScript and Java, too")
	sagas        = flag.Int("workers.sagas", 100, "sagas whose commands are delivered several times")
	seed         = flag.Uint64("workers.seed", 1, "seed of the deliveries and the kills")
)

const examples = "../../../examples/workers"

// language is an example worker.
type language struct {
	name, queue, command, compensation string
	argv                               []string
	folder                             string
	prepare                            func(t *testing.T) // before the first start
}

// languages returns those that run.
func languages(t *testing.T) []language {
	t.Helper()
	here, err := filepath.Abs(examples)
	require.NoError(t, err)
	// Debian's packages of libraries belong to the system's Python.
	python := language{
		"python", "payments", "payments.charge", "payments.refund",
		[]string{"/usr/bin/python3", filepath.Join(here, "python/worker.py")},
		here, func(*testing.T) {},
	}
	if !*allLanguages {
		return []language{python}
	}
	require.NoError(t, provided())
	module, classes := t.TempDir(), t.TempDir()
	const jars = "/usr/share/java/"
	path := strings.Join([]string{classes, jars + "amqp-client.jar", jars + "postgresql.jar", jars + "gson.jar", jars + "slf4j-api.jar", jars + "slf4j-nop.jar"}, ":")
	return []language{
		python,
		{"node", "inventory", "inventory.reserve", "inventory.release", []string{"node", "worker.js"}, module, func(t *testing.T) {
			t.Helper()
			for _, name := range []string{"package.json", "package-lock.json", "worker.js"} {
				content, err := os.ReadFile(filepath.Join(here, "node", name))
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(filepath.Join(module, name), content, 0o600))
			}
			done(t, module, "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
		}},
		{"java", "shipping", "shipping.book", "shipping.cancel", []string{"java", "-Xmx128m", "-XX:+UseSerialGC", "-cp", path, "Worker"}, classes, func(t *testing.T) {
			t.Helper()
			done(t, classes, "javac", "-cp", path, "-d", classes, filepath.Join(here, "java/Worker.java"))
		}},
	}
}

var provided = sync.OnceValue(func() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	return servers.ProvideLanguages(ctx)
})

func done(t *testing.T, folder string, argv ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	command.Dir = folder
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%v: %s", argv, output)
}

// process is a running worker. It can be killed and started again.
type process struct {
	t           *testing.T
	language    language
	environment []string

	command *exec.Cmd
	output  bytes.Buffer
	ended   chan struct{}
}

// start starts a worker, which ends with the test.
func (l language) start(t *testing.T, url, prefix, database string) *process {
	t.Helper()
	p := &process{t: t, language: l, environment: append(os.Environ(), "AMQP_URL="+url, "AMQP_PREFIX="+prefix, "DATABASE_URL="+database)}
	p.run()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s said:\n%s", l.name, p.output.String())
		}
	})
	return p
}

func (p *process) run() {
	p.t.Helper()
	p.command = exec.Command(p.language.argv[0], p.language.argv[1:]...)
	p.command.Dir, p.command.Env = p.language.folder, p.environment
	p.command.Stdout, p.command.Stderr = &p.output, &p.output
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(p.t, p.command.Start())
	command, ended := p.command, make(chan struct{})
	p.ended = ended
	go func() {
		defer close(ended)
		_ = command.Wait()
	}()
}

// kill ends the process as a power loss would.
func (p *process) kill() {
	_ = p.command.Process.Signal(syscall.SIGKILL) // it may have ended
	<-p.ended
}
