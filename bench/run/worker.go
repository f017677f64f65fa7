package run

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// worker is a system's worker process, or nil if the system has none. The process exits when its standard input is closed,
// even if this process is killed.
type worker struct {
	cmd   *exec.Cmd
	input io.Closer
}

// readyLine is printed by a worker process when it is ready for commands.
const readyLine = "ready\n"

func (r Run) startWorker(ctx context.Context) (*worker, error) {
	if r.Entry.Work == nil {
		return nil, nil
	}
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, program, "work", r.Entry.Name)
	cmd.Env, cmd.Stderr = r.Place.Environment(), os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start the worker: %w", err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("start the worker: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the worker: %w", err)
	}
	w := &worker{cmd: cmd, input: input}
	if line, err := bufio.NewReader(output).ReadString('\n'); line != readyLine {
		return nil, errors.Join(fmt.Errorf("the worker is not ready; it printed %q: %w", line, err), w.stop())
	}
	return w, nil
}

func (w *worker) pid() int { return w.cmd.Process.Pid }

func (w *worker) stop() error {
	if w == nil {
		return nil
	}
	w.input.Close()
	if err := w.cmd.Wait(); err != nil {
		return fmt.Errorf("stop the worker: %w", err)
	}
	return nil
}

// Work runs the system's worker until in ends.
func (r Run) Work(ctx context.Context, in io.Reader, out io.Writer) error {
	if r.Entry.Work == nil {
		return fmt.Errorf("%s has no worker", r.Entry.Name)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // ends with the process, because a read of standard input cannot be interrupted
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	return r.Entry.Work(ctx, r.Place, func() { fmt.Fprint(out, readyLine) })
}
