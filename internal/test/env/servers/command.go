package servers

import (
	"context"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// grace is how long a process that was asked to end may take, before it is killed.
const grace = 10 * time.Second

// Run runs the command to its end, or until ctx is done, and returns its exit code.
func (s *Session) Run(ctx context.Context, command []string, env map[string]string) int {
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = os.Environ()
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	// A group of its own, so that what the command started ends with it: `go test` leaves its test binaries behind.
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
		_ = cmd.Wait() // how it ended stands in cmd.ProcessState
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		end(cmd.Process.Pid, syscall.SIGTERM, ended)
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // whatever is left of the group; most often nothing
	return exitCode(cmd.ProcessState)
}

// exitCode is the code that a shell would report.
func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// end asks a process group to end, and kills it when it has not ended in time.
func end(group int, ask syscall.Signal, ended <-chan struct{}) {
	_ = syscall.Kill(-group, ask) // fails only if the group is gone already, and then ended says so
	select {
	case <-ended:
	case <-time.After(grace):
		_ = syscall.Kill(-group, syscall.SIGKILL)
		<-ended
	}
}
