package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	startPatience = 30 * time.Second // for a program to say that it has begun
	stopPatience  = 12 * time.Second // a little more than ours promise to need
)

// Program is what is to be run.
type Program struct {
	Name        string // for people: the orchestrator, the worker
	Path        string
	Environment []string // beside this process's own
	Arguments   []string
}

// Process is a program that runs.
type Process struct {
	program Program
	command *exec.Cmd
	output  *output
	began   time.Time
	ended   chan struct{} // closed when it has ended
	err     error         // how it ended; set before ended is closed
}

// Start starts the program and waits until it has said its first line on standard output, which is returned: whatever
// runs after that is in its place.
func (p Program) Start(ctx context.Context) (*Process, string, error) {
	running := &Process{program: p, output: newOutput(), ended: make(chan struct{})}
	// Not CommandContext: it would kill, and a process that is to end may finish what it has begun.
	running.command = exec.Command(p.Path, p.Arguments...) //nolint:noctx // as said
	running.command.Env = append(os.Environ(), p.Environment...)
	running.command.Stdout, running.command.Stderr = running.output.first(), running.output
	running.command.SysProcAttr = ownGroup()
	running.began = time.Now()
	if err := running.command.Start(); err != nil {
		return nil, "", fmt.Errorf("start the %s: %w", p.Name, err)
	}
	go func() { // ends with the process, which Stop waits for
		running.err = running.command.Wait()
		close(running.ended)
	}()
	line, err := running.firstLine(ctx)
	if err != nil {
		return nil, "", err
	}
	return running, line, nil
}

func (p *Process) firstLine(ctx context.Context) (string, error) {
	patience := time.NewTimer(startPatience)
	defer patience.Stop()
	var problem error
	select {
	case line := <-p.output.line:
		return line, nil
	case <-p.ended:
		return "", p.Fault()
	case <-patience.C:
		problem = fmt.Errorf("the %s did not begin within %s:\n%s", p.program.Name, startPatience, p.output.tail())
	case <-ctx.Done():
		problem = context.Cause(ctx)
	}
	return "", errors.Join(problem, p.Stop())
}

// Began is when it was started.
func (p *Process) Began() time.Time { return p.began }

// Ended is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Fault says how the process ended although nobody had asked it to.
func (p *Process) Fault() error {
	return fmt.Errorf("the %s ended by itself: %w\n%s", p.program.Name, errors.Join(p.err, errors.New("it said")), p.output.tail())
}

// Stop ends the process and waits for it.
func (p *Process) Stop() error {
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
	return fmt.Errorf("the %s did not end within %s and was killed", p.program.Name, stopPatience)
}

// PID is the process's.
func (p *Process) PID() int { return p.command.Process.Pid }
