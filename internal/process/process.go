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
	startPatience = 30 * time.Second // time for a program to become ready
	stopPatience  = 12 * time.Second // longer than the programs need to shut down
)

// Program describes a program to run.
type Program struct {
	Name        string // for messages: the orchestrator, the worker
	Path        string
	Environment []string // in addition to the environment of this process
	Arguments   []string
}

// Process is a running program.
type Process struct {
	program Program
	command *exec.Cmd
	output  *output
	began   time.Time
	ended   chan struct{} // closed when the process has ended
	err     error         // result of the process; set before ended is closed
}

// Start starts the program, waits for its first line on standard output, and returns that line. It fails if the program
// exits before, is not ready within startPatience, or ctx ends.
func (p Program) Start(ctx context.Context) (*Process, string, error) {
	running := &Process{program: p, output: newOutput(), ended: make(chan struct{})}
	// CommandContext would kill the process; Stop lets it shut down.
	running.command = exec.Command(p.Path, p.Arguments...) //nolint:gosec,noctx // see above; the program is one of ours
	running.command.Env = append(os.Environ(), p.Environment...)
	running.command.Stdout, running.command.Stderr = running.output.first(), running.output
	running.command.SysProcAttr = ownGroup()
	running.began = time.Now()
	if err := running.command.Start(); err != nil {
		return nil, "", fmt.Errorf("start the %s: %w", p.Name, err)
	}
	go func() { // ends with the process; Stop waits for it
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
		problem = fmt.Errorf("the %s was not ready within %s:\n%s", p.program.Name, startPatience, p.output.tail())
	case <-ctx.Done():
		problem = context.Cause(ctx)
	}
	return "", errors.Join(problem, p.Stop())
}

// Began returns the time of the start.
func (p *Process) Began() time.Time { return p.began }

// Ended returns a channel that is closed when the process has ended.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// Fault returns an error that describes an unexpected end of the process, with the end of its output.
func (p *Process) Fault() error {
	return fmt.Errorf("the %s ended unexpectedly: %w\n%s", p.program.Name, errors.Join(p.err, errors.New("its output")), p.output.tail())
}

// Stop sends SIGTERM and waits for the process. It kills a process that does not end in time, and returns an error.
func (p *Process) Stop() error {
	_ = p.command.Process.Signal(syscall.SIGTERM) // an error means that it has ended
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

// PID returns the id of the process.
func (p *Process) PID() int { return p.command.Process.Pid }
