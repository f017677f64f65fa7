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

// Server is a private server of with-servers, for tests that stop it. Such a test must not run beside other packages.
type Server struct {
	t   testing.TB
	dir string
}

// Postgres returns the private Postgres server of this run.
func Postgres(t testing.TB) *Server {
	t.Helper()
	return &Server{t: t, dir: require(t, "TESTENV_POSTGRES_DIR", "a private Postgres that it may stop")}
}

// RabbitMQ returns the private RabbitMQ server of this run.
func RabbitMQ(t testing.TB) *Server {
	t.Helper()
	return &Server{t: t, dir: require(t, "TESTENV_RABBITMQ_DIR", "a private RabbitMQ that it may stop")}
}

// ServerIn returns the server that package servers started in this directory.
func ServerIn(t testing.TB, dir string) *Server { return &Server{t: t, dir: dir} }

// Signal sends a signal to the server. If it dies, it is restarted at once.
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
		s.t.Fatalf("create the file that keeps the server down: %v", err)
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

// Start lets a stopped server start again. It does not wait for the server.
func (s *Server) Start() {
	s.t.Helper()
	if err := os.Remove(s.hold()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.t.Fatalf("delete the file that keeps the server down: %v", err)
	}
}

func (s *Server) hold() string { return filepath.Join(s.dir, "hold") }

// pid reads the pid file, which exists while the server runs.
func (s *Server) pid() (int, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, "pid"))
	if err != nil {
		return 0, fmt.Errorf("read the pid file: %w", err)
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
