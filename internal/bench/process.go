package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	startPatience = 30 * time.Second // for a process to say that it serves
	stopPatience  = 12 * time.Second // a little more than it promises to need
)

// process is a program of ours that runs for the time of a run.
type process struct {
	name    string
	command *exec.Cmd
	output  *output
	ended   chan struct{} // closed when it has ended
	err     error         // how it ended; set before ended is closed
}

// startProcess starts this same executable with other arguments, and waits until it has said its first line on standard
// output, which is returned: whatever runs after that is in its place.
func (o Options) startProcess(ctx context.Context, name string, environment []string, arguments ...string) (*process, string, error) {
	p := &process{name: name, output: newOutput(), ended: make(chan struct{})}
	// Not CommandContext: it would kill, and a process that is to end may finish what it has begun.
	p.command = exec.Command(o.Executable, arguments...) //nolint:noctx // as said
	p.command.Env = append(os.Environ(), environment...)
	p.command.Stdout, p.command.Stderr = p.output.first(), p.output
	p.command.SysProcAttr = ownGroup()
	if err := p.command.Start(); err != nil {
		return nil, "", fmt.Errorf("start the %s: %w", name, err)
	}
	go func() { // ends with the process, which stop waits for
		p.err = p.command.Wait()
		close(p.ended)
	}()
	patience := time.NewTimer(startPatience)
	defer patience.Stop()
	var problem error
	select {
	case line := <-p.output.line:
		return p, line, nil
	case <-p.ended:
		return nil, "", p.fault()
	case <-patience.C:
		problem = fmt.Errorf("the %s did not begin within %s:\n%s", name, startPatience, p.output.tail())
	case <-ctx.Done():
		problem = context.Cause(ctx)
	}
	return nil, "", errors.Join(problem, p.stop())
}

// fault says how the process ended although nobody had asked it to.
func (p *process) fault() error {
	return fmt.Errorf("the %s ended by itself: %w\n%s", p.name, errors.Join(p.err, errors.New("it said")), p.output.tail())
}

// stop ends the process and waits for it.
func (p *process) stop() error {
	_ = p.command.Process.Signal(syscall.SIGTERM) // it may have ended
	patience := time.NewTimer(stopPatience)
	defer patience.Stop()
	select {
	case <-p.ended:
		return nil
	case <-patience.C:
	}
	_ = p.command.Process.Kill()
	<-p.ended
	return fmt.Errorf("the %s did not end within %s and was killed", p.name, stopPatience)
}

// pids is how a meter wants it.
func (p *process) pids() []int { return []int{p.command.Process.Pid} }

// output keeps the end of what a process says, and hands on its first line on standard output.
type output struct {
	line chan string

	mu   sync.Mutex
	kept []byte
	said []byte // of the first line, until it is complete
	done bool
}

const keptOutput = 4 << 10

func newOutput() *output { return &output{line: make(chan string, 1)} }

// Write keeps what is said.
func (o *output) Write(content []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = append(o.kept, content...)
	o.kept = o.kept[max(0, len(o.kept)-keptOutput):]
	return len(content), nil
}

func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.TrimSpace(string(o.kept))
}

// first is the output for standard output.
func (o *output) first() firstLine { return firstLine{o} }

type firstLine struct{ *output }

// Write keeps what is said, and hands on the first line.
func (f firstLine) Write(content []byte) (int, error) {
	f.mu.Lock()
	if !f.done {
		f.said = append(f.said, content...)
		if line, _, complete := bytes.Cut(f.said, []byte("\n")); complete {
			f.done = true
			f.line <- string(line)
		}
	}
	f.mu.Unlock()
	return f.output.Write(content)
}
