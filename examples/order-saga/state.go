package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps"
)

// work executes a command in a context.
type work func(ctx context.Context, cmd steps.Command[Order]) (output map[string]any, line string, err error)

// state records the effects of a service, so that a repeated command takes effect once.
type state interface {
	serve(worker *steps.Worker, service, command string, do work)
}

// fileState is the state of a service without a database: a file with one line per effect, synced before the reply. It has
// the same three rules as the barrier in Postgres.
type fileState struct {
	mu   sync.Mutex
	file *os.File
	done map[string]ledgerLine // by saga, step and direction
}

// ledgerLine is one effect, or a note that a command had no effect.
type ledgerLine struct {
	Saga   string         `json:"saga"`
	Step   string         `json:"step"`
	Action saga.Direction `json:"action"`
	Line   string         `json:"line"` // empty: no effect
	Output map[string]any `json:"output,omitempty"`
	At     time.Time      `json:"at"`
}

// openFileState opens the ledger of a service and reads its lines.
func openFileState(directory, service string) (*fileState, error) {
	path := filepath.Join(directory, service+".ledger")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600) //nolint:gosec // the user names the directory
	if err != nil {
		return nil, fmt.Errorf("open the ledger of %s: %w", service, err)
	}
	s := &fileState{file: file, done: make(map[string]ledgerLine)}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var line ledgerLine
		if json.Unmarshal(lines.Bytes(), &line) == nil { // the reply to an incomplete last line was never sent
			s.done[line.key(line.Action)] = line
		}
	}
	if err := errors.Join(lines.Err(), s.endCutLine()); err != nil {
		return nil, fmt.Errorf("read the ledger of %s: %w", service, err)
	}
	return s, nil
}

// endCutLine completes a last line that a crash has cut.
func (s *fileState) endCutLine() error {
	info, err := s.file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := s.file.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = s.file.WriteString("\n")
	return err
}

func (l ledgerLine) key(action saga.Direction) string {
	return strings.Join([]string{l.Saga, l.Step, string(action)}, "/")
}

func (s *fileState) serve(worker *steps.Worker, _, command string, do work) {
	steps.Handle(worker, command, func(ctx context.Context, cmd steps.Command[Order]) (map[string]any, error) {
		return s.once(ctx, cmd, do)
	})
}

// once executes a command, unless it was executed before, comes after its compensation, or compensates a command that was
// never executed.
func (s *fileState) once(ctx context.Context, cmd steps.Command[Order], do work) (map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	line := ledgerLine{Saga: cmd.SagaID, Step: cmd.Step, Action: cmd.Action}
	if before, repeated := s.done[line.key(cmd.Action)]; repeated {
		return before.Output, nil
	}
	_, compensated := s.done[line.key(saga.Compensate)]
	_, executed := s.done[line.key(saga.Execute)]
	switch {
	case cmd.Action == saga.Execute && compensated:
		return nil, steps.Fail(steps.CodeCompensated, "the command came after its compensation")
	case cmd.Action == saga.Compensate && !executed:
		return nil, s.note(line) // the note makes a late command fail
	}
	output, text, err := do(ctx, cmd)
	if err != nil {
		return nil, err
	}
	line.Output, line.Line = output, text
	return output, s.note(line)
}

// note writes and syncs a line.
func (s *fileState) note(line ledgerLine) error {
	line.At = time.Now().UTC()
	text, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	if _, err := s.file.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("write the ledger: %w", errors.Join(err, steps.ErrUnknown))
	}
	if err := s.file.Sync(); err != nil {
		return fmt.Errorf("write the ledger: %w", errors.Join(err, steps.ErrUnknown))
	}
	s.done[line.key(line.Action)] = line
	return nil
}
