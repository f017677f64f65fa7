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

// overhead is the time that a run may take beyond its load before it is aborted.
const overhead = 90 * time.Second

// Comparison runs a plan.
type Comparison struct {
	Plan
	Servers Servers
	// Command returns the program that runs a system in a cell and prints the report.
	Command func(name string, cell Cell) (program string, arguments []string)
	Log     *slog.Logger
}

// Run is the result of one run: a report or a fault.
type Run struct {
	Cell
	Round  int              `json:"round"`
	System string           `json:"system"`
	Report *loadtest.Report `json:"report,omitempty"`
	Fault  string           `json:"fault,omitempty"`
}

// Run runs the whole plan. A failed run does not end the comparison; Run returns its error at the end, with the result.
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
			log.Info("run finished", "sagas/s", report.SagasPerSecond)
			run.Report = &report
		}
		result.Runs = append(result.Runs, run)
	}
	return result, errors.Join(faults...)
}

// take takes one run, with its own database and broker prefix.
func (c Comparison) take(ctx context.Context, a assignment) (report loadtest.Report, err error) {
	place, remove, err := c.Servers.Place(ctx, a.system)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, remove(context.WithoutCancel(ctx))) }()
	ctx, cancel := context.WithTimeout(ctx, c.Warmup+c.Duration+overhead)
	defer cancel()
	program, arguments := c.Command(a.system, a.cell)
	return RunReport(ctx, place, program, arguments)
}

// RunReport runs a program and returns the report that it prints. It returns an error if a saga failed, or if none ended.
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
		return report, fmt.Errorf("%d sagas ended as expected, and %d did not", report.Sagas, report.Failed)
	}
	return report, nil
}

// Output runs a program to its end and returns its standard output. Its error contains the program's standard error.
func Output(ctx context.Context, place system.Place, program string, arguments ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, program, arguments...)
	var stderr bytes.Buffer
	cmd.Env, cmd.Stderr = place.Environment(), &stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run %s: %w: %s", program, err, strings.TrimSpace(stderr.String()))
	}
	return out, nil
}
