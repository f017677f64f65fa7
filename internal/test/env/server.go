package env

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a private server that with-servers keeps up, for tests that take it away. Such a test has the server for
// itself only if no other package is tested at the same time.
type Server struct {
	t   testing.TB
	dir string
}

// Postgres is the private Postgres server of this run.
func Postgres(t testing.TB) *Server {
	t.Helper()
	return &Server{t: t, dir: require(t, "TESTENV_POSTGRES_DIR", "a private Postgres that it may stop")}
}

// RabbitMQ is the private RabbitMQ server of this run.
func RabbitMQ(t testing.TB) *Server {
	t.Helper()
	return &Server{t: t, dir: require(t, "TESTENV_RABBITMQ_DIR", "a private RabbitMQ that it may stop")}
}

// ServerIn is the server with its files in that directory, brought up by package servers.
func ServerIn(t testing.TB, dir string) *Server { return &Server{t: t, dir: dir} }

// Signal sends a signal to the server. One that dies of it is started again at once.
func (s *Server) Signal(signal syscall.Signal) {
	s.t.Helper()
	pid, err := s.pid()
	if err != nil {
		s.t.Fatalf("find the server's process: %v", err)
	}
	if err := syscall.Kill(pid, signal); err != nil {
		s.t.Fatalf("send %s to the server: %v", signal, err)
	}
}

// Stop ends the server with a signal and keeps it down until Start, or until the test ends.
func (s *Server) Stop(signal syscall.Signal) {
	s.t.Helper()
	if err := os.WriteFile(s.hold(), nil, 0o600); err != nil {
		s.t.Fatalf("ask for the server to be kept down: %v", err)
	}
	s.t.Cleanup(s.Start)
	s.Signal(signal)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if _, err := s.pid(); errors.Is(err, fs.ErrNotExist) {
			return
		}
	}
	s.t.Fatalf("the server did not end within %s of %s", patience, signal)
}

// Start lets a stopped server come up again. It does not wait: how a client deals with a server that is not up yet is
// what the caller tests.
func (s *Server) Start() {
	s.t.Helper()
	if err := os.Remove(s.hold()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatalf("let the server come up again: %v", err)
	}
}

func (s *Server) hold() string { return filepath.Join(s.dir, "hold") }

// pid reads the number of the server's process from the file that is there while it runs.
func (s *Server) pid() (int, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, "pid"))
	if err != nil {
		return 0, fmt.Errorf("read the pid file: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
