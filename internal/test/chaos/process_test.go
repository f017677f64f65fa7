package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// programs builds the orchestrator and the worker, each with and without failpoints.
type programs struct {
	folder string

	mu    sync.Mutex
	built map[string]error
}

// path returns the path of a program, which it builds once.
func (p *programs) path(t *testing.T, source string, failpoints bool) string {
	t.Helper()
	tags := ""
	if failpoints {
		tags = "failpoints"
	}
	target := filepath.Join(p.folder, tags, filepath.Base(source))
	p.mu.Lock()
	defer p.mu.Unlock()
	err, done := p.built[target]
	if !done {
		var output []byte
		output, err = exec.Command("go", "build", "-tags", tags, "-o", target, "../../../"+source).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("build %s: %w: %s", source, err, output)
		}
		p.built[target] = err
	}
	require.NoError(t, err)
	return target
}

// process is a program that can be killed, stopped and restarted under the same name.
type process struct {
	t           *testing.T
	name        string
	program     string
	arguments   []string
	environment []string
	log         string

	mu      sync.Mutex
	command *exec.Cmd
	ended   chan struct{}
}

// newProcess starts a program that ends with the test at the latest.
func newProcess(t *testing.T, name, program string, environment []string, arguments ...string) *process {
	t.Helper()
	p := &process{
		t: t, name: name, program: program, arguments: arguments, environment: environment,
		log: filepath.Join(t.TempDir(), name+".log"),
	}
	p.start()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("the end of the log of %s:\n%s", name, p.tail(25))
		}
	})
	return p
}

// start starts the program, or restarts it.
func (p *process) start(environment ...string) {
	p.t.Helper()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	require.NoError(p.t, err)
	defer log.Close()
	command := exec.Command(p.program, p.arguments...)
	command.Env = append(append(os.Environ(), p.environment...), environment...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(p.t, command.Start())
	ended := make(chan struct{})
	go func() { // ends with the process
		_ = command.Wait()
		close(ended)
	}()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.command, p.ended = command, ended
}

func (p *process) now() (*exec.Cmd, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.command, p.ended
}

func (p *process) signal(signal syscall.Signal) {
	command, _ := p.now()
	_ = command.Process.Signal(signal) // it may have ended
}

// kill ends the process as a crash would, even if it is stopped.
func (p *process) kill() {
	_, ended := p.now()
	p.signal(syscall.SIGKILL)
	<-ended
}

// running reports whether the process has not ended.
func (p *process) running() bool {
	_, ended := p.now()
	select {
	case <-ended:
		return false
	default:
		return true
	}
}

// keep restarts the process whenever it ends, until stop is called. stop returns the number of restarts.
func (p *process) keep(environment ...string) (stop func() int) {
	quit, done, restarts := make(chan struct{}), make(chan struct{}), 0
	go func() {
		defer close(done)
		for {
			_, ended := p.now()
			select {
			case <-ended:
				restarts++
				p.start(environment...)
			case <-quit:
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	}()
	return func() int {
		close(quit)
		<-done
		return restarts
	}
}

func (p *process) tail(lines int) string {
	content, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// says counts the lines of the log that contain a text.
func (p *process) says(text string) int {
	content, _ := os.ReadFile(p.log) // an unreadable log has no lines
	count := 0
	for line := range strings.SplitSeq(string(content), "\n") {
		if strings.Contains(line, text) {
			count++
		}
	}
	return count
}
