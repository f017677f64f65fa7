package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/bench/system"
	"github.com/saga-orchestrator/orchestrator/internal/loadtest"
)

// endless is how long a run may take beyond its load, before it is given up.
const endless = 90 * time.Second

// Comparison runs a plan.
type Comparison struct {
	Plan
	Servers Servers
	// Command is the program that takes a system's run at a place and prints the report.
	Command func(name string, cell Cell) (program string, arguments []string)
	Log     *slog.Logger
}

// Run is what came of one run.
type Run struct {
	Cell
	Round  int              `json:"round"`
	System string           `json:"system"`
	Report *loadtest.Report `json:"report,omitempty"`
	Fault  string           `json:"fault,omitempty"`
}

// Run gives every system its runs. A run that fails does not end the comparison, and is an error in the end.
func (c Comparison) Run(ctx context.Context) (Result, error) {
	machine, err := c.Servers.Describe(ctx)
	if err != nil {
		return Result{}, err
	}
	result := Result{Machine: machine, Plan: c.Plan}
	schedule := c.schedule()
	var faults []error
	for i, a := range schedule {
		run := Run{Cell: a.cell, Round: a.round, System: a.system}
		report, err := c.take(ctx, a)
		if ctx.Err() != nil {
			return result, fmt.Errorf("compare: %w", context.Cause(ctx))
		}
		log := c.Log.With("run", fmt.Sprintf("%d/%d", i+1, len(schedule)), "system", a.system, "cell", a.cell.String())
		if err != nil {
			log.Error("run failed", "reason", err)
			run.Fault = err.Error()
			faults = append(faults, fmt.Errorf("run of %s, %s: %w", a.system, a.cell, err))
		} else {
			log.Info("run taken", "sagas/s", report.SagasPerSecond)
			run.Report = &report
		}
		result.Runs = append(result.Runs, run)
	}
	return result, errors.Join(faults...)
}

// take has one run taken, at a place of its own.
func (c Comparison) take(ctx context.Context, a assignment) (report loadtest.Report, err error) {
	place, remove, err := c.Servers.Place(ctx, a.system)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, remove(context.WithoutCancel(ctx))) }()
	ctx, cancel := context.WithTimeout(ctx, c.Warmup+c.Duration+endless)
	defer cancel()
	program, arguments := c.Command(a.system, a.cell)
	return RunReport(ctx, place, program, arguments)
}

// RunReport runs a program and reads the report that it prints.
func RunReport(ctx context.Context, place system.Place, program string, arguments []string) (loadtest.Report, error) {
	var report loadtest.Report
	out, err := Output(ctx, place, program, arguments...)
	if err != nil {
		return report, err
	}
	if err := json.Unmarshal(out, &report); err != nil {
		return report, fmt.Errorf("read the report of %s: %w", program, err)
	}
	if report.Sagas == 0 || report.Failed > 0 {
		return report, fmt.Errorf("%d sagas ended as they should within the time, and %d did not", report.Sagas, report.Failed)
	}
	return report, nil
}

// Output runs a program to its end, and returns what it prints. Its error says what the program said.
func Output(ctx context.Context, place system.Place, program string, arguments ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, arguments...)
	var said bytes.Buffer
	cmd.Env, cmd.Stderr = place.Environment(), &said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w: %s", program, err, strings.TrimSpace(said.String()))
	}
	return out, nil
}
