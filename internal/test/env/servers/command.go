package servers

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// grace is how long a process may take to end before it is killed.
const grace = 10 * time.Second

// Run runs the command until it ends or ctx is done, and returns its exit code.
func (s *Session) Run(ctx context.Context, command []string, env map[string]string) int {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = os.Environ()
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	// A process group, so that all processes of the command end with it: `go test` leaves its test binaries behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		say("start the command: %v", err)
		return 127
	}
	s.running(cmd.Process.Pid, true)
	defer s.running(cmd.Process.Pid, false)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // cmd.ProcessState has the result
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		end(cmd.Process.Pid, syscall.SIGTERM, ended)
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the rest of the group, if any
	return exitCode(cmd.ProcessState)
}

// exitCode returns the code that a shell would report.
func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// end signals a process group, and kills it after the grace period.
func end(group int, ask syscall.Signal, ended <-chan struct{}) {
	_ = syscall.Kill(-group, ask) // fails only if the group has ended
	select {
	case <-ended:
	case <-time.After(grace):
		_ = syscall.Kill(-group, syscall.SIGKILL)
		<-ended
	}
}
