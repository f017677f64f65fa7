package servers

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// guardScript outlives this program briefly. Each line that it reads lists all running process groups. When the pipe
// closes, even because this program was killed, it ends the groups of the last line and deletes the directory.
const guardScript = `
while read -r line; do groups=$line; done
for group in $groups; do kill -s QUIT -- "-$group"; done
[ -z "$groups" ] || sleep 2
for group in $groups; do kill -s KILL -- "-$group"; done
rm -rf -- "$1"
`

// Session is a set of processes and a directory for their files.
type Session struct {
	dir   string
	guard *exec.Cmd
	pipe  io.WriteCloser

	mu     sync.Mutex
	groups []string
	stops  []func()
}

// Open starts a session whose files are below parent; empty: the temporary directory. Close it after use.
func Open(parent string) (*Session, error) {
	dir, err := os.MkdirTemp(parent, "testenv-")
	if err != nil {
		return nil, fmt.Errorf("create a directory for the servers: %w", err)
	}
	if err := os.Chmod(dir, 0o711); err != nil { // Postgres runs as another user if this program is root
		return nil, fmt.Errorf("open the directory for the servers: %w", err)
	}
	guard := exec.Command("/bin/sh", "-c", guardScript, "guard", dir)
	guard.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the guard must survive Ctrl-C
	pipe, err := guard.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("open a pipe to the guard: %w", err)
	}
	if err := guard.Start(); err != nil {
		return nil, fmt.Errorf("start the guard: %w", err)
	}
	return &Session{dir: dir, guard: guard, pipe: pipe}, nil
}

// onClose registers a function for Close, which calls them in reverse order.
func (s *Session) onClose(stop func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stops = append(s.stops, stop)
}

// running tells the guard that a process group has started or ended.
func (s *Session) running(group int, runs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := fmt.Sprint(group)
	if runs {
		s.groups = append(s.groups, name)
	} else {
		s.groups = slices.DeleteFunc(s.groups, func(g string) bool { return g == name })
	}
	if _, err := fmt.Fprintln(s.pipe, strings.Join(s.groups, " ")); err != nil {
		say("tell the guard what runs: %v", err)
	}
}

// Close stops everything and waits until the guard has deleted the directory.
func (s *Session) Close() {
	s.mu.Lock()
	stops := slices.Clone(s.stops)
	s.mu.Unlock()
	var wait sync.WaitGroup
	for _, stop := range slices.Backward(stops) {
		wait.Go(stop)
	}
	wait.Wait()
	if err := s.pipe.Close(); err != nil {
		say("close the pipe to the guard: %v", err)
	}
	if err := s.guard.Wait(); err != nil {
		say("delete %s: %v", s.dir, err)
	}
}

// say prints to the terminal; standard output belongs to the command.
func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "servers: "+format+"\n", args...)
}
