package servers

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// pause is the time between two checks.
const pause = 50 * time.Millisecond

// process is a server program that is kept running until the session closes. Its files are in dir: log, pid while it
// runs, and hold while a test keeps it down.
type process struct {
	name string
	dir  string
	argv []string
	env  []string
	user *syscall.Credential // nil: as this program

	ready atomic.Bool   // set once it was ready: from then on it is restarted
	ended chan struct{} // closed once it is not restarted any more
}

// start starts the program and registers its end with the session.
func (s *Session) start(p *process) error {
	cmd, err := p.launch(s)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	p.ended = make(chan struct{})
	go func() {
		defer close(p.ended)
		p.supervise(ctx, s, cmd)
	}()
	s.onClose(func() {
		stop()
		<-p.ended
	})
	return nil
}

// launch starts the program once, in a process group of its own.
func (p *process) launch(s *Session) (*exec.Cmd, error) {
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open the log of %s: %w", p.name, err)
	}
	defer log.Close()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = p.dir, append(os.Environ(), p.env...), log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: p.user}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.name, err)
	}
	s.running(cmd.Process.Pid, true)
	if err := os.WriteFile(p.file("pid"), fmt.Append(nil, cmd.Process.Pid), 0o644); err != nil {
		say("write the pid of %s: %v", p.name, err)
	}
	return cmd, nil
}

// supervise restarts the program after an unexpected end, and stops it when ctx is done.
func (p *process) supervise(ctx context.Context, s *Session, cmd *exec.Cmd) {
	for cmd != nil {
		died := make(chan struct{})
		go func() {
			defer close(died)
			_ = cmd.Wait() // cmd.ProcessState has the result
		}()
		select {
		case <-died:
		case <-ctx.Done():
			end(cmd.Process.Pid, syscall.SIGQUIT, died)
		}
		s.running(cmd.Process.Pid, false)
		_ = os.Remove(p.file("pid"))
		if ctx.Err() != nil || !p.ready.Load() {
			return
		}
		say("%s ended: %s", p.name, cmd.ProcessState)
		cmd = p.relaunch(ctx, s)
	}
}

// relaunch restarts the program once no file holds it down. It returns nil if ctx is done first.
func (p *process) relaunch(ctx context.Context, s *Session) *exec.Cmd {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		if _, err := os.Stat(p.file("hold")); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		cmd, err := p.launch(s)
		if err == nil {
			return cmd
		}
		say("%v", err)
	}
}

// await waits until check succeeds. It fails when ctx is done or the program has ended.
func (p *process) await(ctx context.Context, check func(context.Context) error) error {
	err := poll(ctx, check, p.ended)
	if err != nil {
		return fmt.Errorf("%s does not start: %w; the end of its log:\n%s", p.name, err, p.tail())
	}
	p.ready.Store(true)
	return nil
}

// tail returns the last lines of the log.
func (p *process) tail() string {
	log, err := os.ReadFile(p.file("log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}

func (p *process) file(name string) string { return filepath.Join(p.dir, name) }

// poll repeats check until it succeeds, ctx is done, or ended is closed. ended may be nil.
func poll(ctx context.Context, check func(context.Context) error, ended <-chan struct{}) error {
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last error: %w", ctx.Err(), err)
		case <-ended:
			return errors.New("it has ended")
		case <-time.After(pause):
		}
	}
}
