package e2e

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

// settled is how long sagas may take to end after the last fault.
const settled = 60 * time.Second

// programs builds the two programs once, and returns their folder.
func programs(t *testing.T) string {
	t.Helper()
	folder, err := built()
	require.NoError(t, err)
	return folder
}

var built = sync.OnceValues(func() (string, error) {
	folder := filepath.Join(os.TempDir(), fmt.Sprintf("saga-e2e-%d", os.Getpid()))
	for _, program := range []string{"cmd/orchestrator", "examples/order-saga"} {
		build := exec.Command("go", "build", "-o", filepath.Join(folder, filepath.Base(program)), "../../../"+program)
		if output, err := build.CombinedOutput(); err != nil {
			return "", fmt.Errorf("build %s: %w: %s", program, err, output)
		}
	}
	return folder, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	_ = os.RemoveAll(filepath.Join(os.TempDir(), fmt.Sprintf("saga-e2e-%d", os.Getpid())))
	os.Exit(code)
}

// process is a running program. It is killed when the test ends.
type process struct {
	t       *testing.T
	command *exec.Cmd
	output  transcript
	ended   chan struct{}
}

// transcript is what a program has printed. It may be read while the program runs.
type transcript struct {
	mu      sync.Mutex
	printed bytes.Buffer
}

func (tr *transcript) Write(text []byte) (int, error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.printed.Write(text)
}

func (tr *transcript) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.printed.String()
}

func start(t *testing.T, environment []string, program string, arguments ...string) *process {
	t.Helper()
	p := &process{t: t, command: exec.Command(program, arguments...), ended: make(chan struct{})}
	p.command.Env = append(os.Environ(), environment...)
	p.command.Stdout, p.command.Stderr = &p.output, &p.output
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, p.command.Start())
	go func() { _ = p.command.Wait(); close(p.ended) }()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s %v said:\n%s", filepath.Base(program), arguments, p.output.String())
		}
	})
	return p
}

// kill ends the process as a crash would.
func (p *process) kill() {
	_ = p.command.Process.Signal(syscall.SIGKILL) // it may have ended
	<-p.ended
}

// stop ends the process as an operator would. It returns how long that took.
func (p *process) stop() time.Duration {
	began := time.Now()
	require.NoError(p.t, p.command.Process.Signal(syscall.SIGTERM))
	<-p.ended
	return time.Since(began)
}

// freeAddress returns an unused loopback address.
func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// fixture is the database and the broker of one test, and what runs on them.
type fixture struct {
	t           *testing.T
	programs    string
	databaseURL string
	prefix      string
	environment []string
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	fx := &fixture{t: t, programs: programs(t), databaseURL: env.Database(t)}
	url, prefix := env.Broker(t, "inventory", "payments", "orders")
	fx.prefix = prefix
	fx.environment = []string{"DATABASE_URL=" + fx.databaseURL, "AMQP_URL=" + url, "AMQP_PREFIX=" + prefix, "ORCHESTRATOR_URL="}
	return fx
}

func (fx *fixture) serve(address string) (*process, *api) {
	fx.t.Helper()
	p := start(fx.t, fx.environment, filepath.Join(fx.programs, "orchestrator"), "serve", "--migrate", "--auth", "none", "--listen", address)
	a := &api{t: fx.t, base: "http://" + address}
	a.ready()
	return p, a
}

func (fx *fixture) workers() {
	fx.t.Helper()
	for _, service := range []string{"inventory", "payments", "orders"} {
		start(fx.t, fx.environment, filepath.Join(fx.programs, "order-saga"), "worker", "--service", service)
	}
}

// api is a plain HTTP client.
type api struct {
	t    *testing.T
	base string
}

func (a *api) call(method, path, key string, body, into any) (int, error) {
	return env.Call(&http.Client{Timeout: 20 * time.Second}, method, a.base+path, key, body, into)
}

// must calls and requires the status. A loaded machine may answer 503, after which a client repeats a call: a key makes a
// repeated start one saga, and a definition may be there by then.
func (a *api) must(status int, method, path string, body, into any) {
	a.t.Helper()
	got, err := a.patiently(method, path, body, into)
	require.NoError(a.t, err)
	if method == http.MethodPut && status == http.StatusCreated && got == http.StatusOK {
		got = http.StatusCreated
	}
	require.Equal(a.t, status, got, "%s %s", method, path)
}

func (a *api) patiently(method, path string, body, into any) (status int, err error) {
	key := ""
	if method == http.MethodPost {
		key = rand.Text()
	}
	for deadline := time.Now().Add(settled); ; {
		status, err = a.call(method, path, key, body, into)
		if err != nil || status != http.StatusServiceUnavailable || time.Now().After(deadline) || !wait.For(a.t.Context(), 100*time.Millisecond) {
			return status, err
		}
	}
}

func (a *api) ready() {
	a.t.Helper()
	require.Eventually(a.t, func() bool {
		status, err := a.call(http.MethodGet, "/readyz", "", nil, nil)
		return err == nil && status == http.StatusOK
	}, 30*time.Second, 50*time.Millisecond, "%s should be ready", a.base)
}

// startOrder retries until the start of an order is acknowledged: the key makes the retries one saga.
func (a *api) startOrder(number int) string {
	a.t.Helper()
	body := map[string]any{"definition": "order", "data": order(number)}
	var started resource.Saga
	require.Eventually(a.t, func() bool {
		status, err := a.call(http.MethodPost, "/v1/sagas", fmt.Sprintf("order-%d", number), body, &started)
		return err == nil && (status == http.StatusCreated || status == http.StatusOK)
	}, 30*time.Second, 50*time.Millisecond, "order %d should start", number)
	return started.ID
}

// ends waits until every saga has ended. It returns their final states.
func (a *api) ends(ids []string) map[string]resource.Saga {
	a.t.Helper()
	ended := make(map[string]resource.Saga, len(ids))
	deadline := time.Now().Add(settled)
	for _, id := range ids {
		for {
			var now resource.Saga
			status, err := a.call(http.MethodGet, "/v1/sagas/"+id, "", nil, &now)
			if err == nil && status == http.StatusOK && now.Status.Terminal() {
				ended[id] = now
				break
			}
			if time.Now().After(deadline) {
				var why map[string]any
				_, _ = a.call(http.MethodGet, "/v1/sagas/"+id+"/why", "", nil, &why)
				require.FailNow(a.t, "a saga did not end", "%s is %s: %v", id, now.Status, why)
			}
			<-time.After(20 * time.Millisecond)
		}
	}
	return ended
}
