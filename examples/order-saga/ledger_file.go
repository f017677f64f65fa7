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

// fileLedger is the ledger of a service without a database: a file with one line per effect, synced before the reply. It has
// the same three rules as the barrier in Postgres.
type fileLedger struct {
	mu   sync.Mutex
	file *os.File
	done map[string]ledgerLine // by saga, step and direction
}

// ledgerLine is one effect, or a note that a command had no effect.
type ledgerLine struct {
	Saga   string          `json:"saga"`
	Step   string          `json:"step"`
	Action saga.Direction  `json:"action"`
	Line   string          `json:"line"` // empty: no effect
	Output json.RawMessage `json:"output,omitempty"`
	At     time.Time       `json:"at"`
}

// openFileLedger opens the ledger of a service and reads its lines.
func openFileLedger(directory, service string) (*fileLedger, error) {
	path := filepath.Join(directory, service+".ledger")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600) //nolint:gosec // the user names the directory
	if err != nil {
		return nil, fmt.Errorf("open the ledger of %s: %w", service, err)
	}
	l := &fileLedger{file: file, done: make(map[string]ledgerLine)}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var entry ledgerLine
		if json.Unmarshal(lines.Bytes(), &entry) == nil { // the reply to an incomplete last line was never sent
			l.done[entry.key(entry.Action)] = entry
		}
	}
	if err := errors.Join(lines.Err(), l.endCutLine()); err != nil {
		return nil, fmt.Errorf("read the ledger of %s: %w", service, err)
	}
	return l, nil
}

// endCutLine completes a last line that a crash has cut.
func (l *fileLedger) endCutLine() error {
	info, err := l.file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	last := make([]byte, 1)
	if _, err := l.file.ReadAt(last, info.Size()-1); err != nil || last[0] == '\n' {
		return err
	}
	_, err = l.file.WriteString("\n")
	return err
}

func (e ledgerLine) key(action saga.Direction) string {
	return strings.Join([]string{e.Saga, e.Step, string(action)}, "/")
}

// once is a middleware. It executes a command, unless it was executed before, comes after its compensation, or compensates a
// command that was never executed.
func (l *fileLedger) once(
	ctx context.Context, command steps.Command[json.RawMessage], next func(context.Context) (json.RawMessage, error),
) (json.RawMessage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entry := ledgerLine{Saga: command.SagaID, Step: command.Step, Action: command.Action}
	if before, repeated := l.done[entry.key(command.Action)]; repeated {
		return before.Output, nil
	}
	_, compensated := l.done[entry.key(saga.Compensate)]
	_, executed := l.done[entry.key(saga.Execute)]
	switch {
	case command.Action == saga.Execute && compensated:
		return nil, steps.Fail(steps.CodeCompensated, "the command came after its compensation")
	case command.Action == saga.Compensate && !executed:
		return nil, l.note(entry) // the note makes a late command fail
	}
	output, err := next(ctx)
	if err != nil {
		return nil, err
	}
	var order Order
	if err := json.Unmarshal(command.RawData, &order); err != nil {
		return nil, fmt.Errorf("decode the order: %w", errors.Join(err, steps.ErrUnknown))
	}
	entry.Output, entry.Line = output, line(command.Name, &order)
	return output, l.note(entry)
}

// note writes and syncs a line.
func (l *fileLedger) note(entry ledgerLine) error {
	entry.At = time.Now().UTC()
	text, err := json.Marshal(entry)
	if err != nil {
		return fmt.Errorf("write the ledger: %w", err)
	}
	if _, err := l.file.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("write the ledger: %w", errors.Join(err, steps.ErrUnknown))
	}
	if err := l.file.Sync(); err != nil {
		return fmt.Errorf("write the ledger: %w", errors.Join(err, steps.ErrUnknown))
	}
	l.done[entry.key(entry.Action)] = entry
	return nil
}
