package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// progressRow is the encoding of saga.Progress in its column. Every step writes it to the write-ahead log, so member
// names are short, times are microseconds since the saga's creation, and defaults are left out. The view saga_steps
// reads it too.
type progressRow struct {
	Phase            saga.Phase     `json:"p"`
	Parent           *saga.Parent   `json:"parent,omitempty"`
	Entries          int64          `json:"n"`
	ProgressAt       *offset        `json:"at,omitempty"` // absent: when the saga was updated
	PausedByOperator bool           `json:"paused,omitempty"`
	TurnBack         *saga.Failure  `json:"turn_back,omitempty"`
	Failure          *saga.Failure  `json:"failure,omitempty"`
	Rewind           *saga.Rewind   `json:"rewind,omitempty"`
	DeadlinePassed   bool           `json:"deadline_passed,omitempty"`
	ReopenedFrom     saga.Status    `json:"reopened_from,omitempty"`
	Overdue          bool           `json:"overdue,omitempty"`
	LastAction       string         `json:"last_action,omitempty"`
	Hidden           []saga.Pointer `json:"hidden,omitempty"`
	Steps            []stepRow      `json:"s"`
}

type stepRow struct {
	Status               saga.StepStatus    `json:"s,omitempty"` // absent: pending
	Attempts             *int               `json:"a,omitempty"` // absent: 0 for a pending step, else 1
	TookEffect           *bool              `json:"e,omitempty"` // absent: true if the step succeeded
	StartedAt            *offset            `json:"b,omitempty"`
	FinishedAt           *offset            `json:"f,omitempty"`
	NextAttemptAt        *offset            `json:"w,omitempty"`
	DeadlineAt           *offset            `json:"d,omitempty"`
	CompensationAttempts int                `json:"c,omitempty"`
	Round                int                `json:"r,omitempty"` // absent: the first
	Rewinds              int                `json:"rewinds,omitempty"`
	Unsettled            []int              `json:"unsettled,omitempty"`
	EarlierEffect        int                `json:"earlier_effect,omitempty"`
	Compensating         int                `json:"compensating,omitempty"`
	Output               json.RawMessage    `json:"o,omitempty"`
	Error                *saga.StepError    `json:"err,omitempty"`
	AttemptsForgiven     int                `json:"forgiven,omitempty"`
	CompensationForgiven int                `json:"compensation_forgiven,omitempty"`
	Uncertain            bool               `json:"uncertain,omitempty"`
	Oversized            bool               `json:"oversized,omitempty"`
	EffectKnown          bool               `json:"effect_known,omitempty"`
	LateEffect           bool               `json:"late_effect,omitempty"`
	LateCompensation     bool               `json:"late_undo,omitempty"`
	Reopened             bool               `json:"reopened,omitempty"`
	Waiting              saga.Wait          `json:"wait,omitempty"`
	Signal               *saga.GivenSignal  `json:"signal,omitempty"`
	Children             []string           `json:"children,omitempty"`
	ChildRevision        int64              `json:"child_revision,omitempty"`
	EarlierSignals       []saga.GivenSignal `json:"earlier_signals,omitempty"`
}

// progressOf encodes an instance's progress. The names of the steps have a column of their own.
func progressOf(in *saga.Instance) *progressRow {
	created := in.CreatedAt.Truncate(time.Microsecond)
	p := &in.Progress
	row := &progressRow{
		Phase: p.Phase, Parent: p.Parent, Entries: p.Entries, PausedByOperator: p.PausedByOperator,
		TurnBack: p.TurnBack, Rewind: p.Rewind, Failure: p.Failure, DeadlinePassed: p.DeadlinePassed, ReopenedFrom: p.ReopenedFrom,
		Overdue: p.Overdue, LastAction: p.LastAction, Hidden: p.Hidden, Steps: make([]stepRow, len(p.Steps)),
	}
	if !p.ProgressAt.Equal(in.UpdatedAt) {
		row.ProgressAt = after(created, p.ProgressAt)
	}
	for i := range p.Steps {
		row.Steps[i] = stepOf(&p.Steps[i], created)
	}
	return row
}

func stepOf(s *saga.StepState, created time.Time) stepRow {
	row := stepRow{
		StartedAt:  after(created, s.StartedAt),
		FinishedAt: after(created, s.FinishedAt), NextAttemptAt: after(created, s.NextAttemptAt),
		DeadlineAt: after(created, s.DeadlineAt), CompensationAttempts: s.CompensationAttempts, Output: s.Output,
		Error: s.Error, AttemptsForgiven: s.AttemptsForgiven, CompensationForgiven: s.CompensationForgiven,
		Uncertain: s.Uncertain, Oversized: s.Oversized, EffectKnown: s.EffectKnown, LateEffect: s.LateEffect, LateCompensation: s.LateCompensation, Reopened: s.Reopened,
		Rewinds: s.Rewinds, Unsettled: s.Unsettled, EarlierEffect: s.EarlierEffect, Compensating: s.Compensating,
		Waiting: s.Waiting, Signal: s.Signal, Children: s.Children, ChildRevision: s.ChildRevision, EarlierSignals: s.EarlierSignals,
	}
	if s.Status != saga.StepPending {
		row.Status = s.Status
	}
	if s.Attempts != usualAttempts(s.Status) {
		row.Attempts = &s.Attempts
	}
	if s.TookEffect != (s.Status == saga.StepSucceeded) {
		row.TookEffect = &s.TookEffect
	}
	if s.Round != 1 {
		row.Round = s.Round
	}
	return row
}

// usualAttempts returns how many attempts a step in this status has had if none failed.
func usualAttempts(status saga.StepStatus) int {
	if status == saga.StepPending {
		return 0
	}
	return 1
}

// decodeProgress decodes the progress of a saga with these times and step names.
func decodeProgress(at place, text []byte, created, updated time.Time, names []string) (saga.Progress, error) {
	if err := checkLarge(text, len(names)); err != nil {
		return saga.Progress{}, err
	}
	var row progressRow
	if err := json.Unmarshal(text, &row); err != nil {
		return saga.Progress{}, err
	}
	if err := row.open(at); err != nil {
		return saga.Progress{}, err
	}
	if len(row.Steps) != len(names) {
		return saga.Progress{}, errSteps(len(row.Steps), len(names))
	}
	if err := row.check(); err != nil {
		return saga.Progress{}, err
	}
	p := saga.Progress{
		Phase: row.Phase, Parent: row.Parent, Entries: row.Entries, ProgressAt: updated,
		PausedByOperator: row.PausedByOperator, TurnBack: row.TurnBack, Rewind: row.Rewind, Failure: row.Failure, DeadlinePassed: row.DeadlinePassed,
		ReopenedFrom: row.ReopenedFrom, Overdue: row.Overdue, LastAction: row.LastAction,
		Hidden: row.Hidden, Steps: make([]saga.StepState, len(row.Steps)),
	}
	if row.ProgressAt != nil {
		p.ProgressAt = since(created, row.ProgressAt)
	}
	for i := range row.Steps {
		p.Steps[i] = row.Steps[i].state(names[i], created)
	}
	return p, nil
}

// largeProgress is the size from which the steps are counted before they are decoded: each takes a hundred times the memory of the
// shortest text that SQL may have stored for it.
const largeProgress = 512 << 10

func checkLarge(text []byte, steps int) error {
	if len(text) <= largeProgress {
		return nil
	}
	var counted struct {
		Steps []json.RawMessage `json:"s"`
	}
	if err := json.Unmarshal(text, &counted); err != nil {
		return err
	}
	if len(counted.Steps) != steps {
		return errSteps(len(counted.Steps), steps)
	}
	return nil
}

func errSteps(steps, names int) error { return fmt.Errorf("%d steps with %d names", steps, names) }

func (r *stepRow) state(name string, created time.Time) saga.StepState {
	s := saga.StepState{
		Name: name, Status: r.Status, Round: r.Round,
		StartedAt: since(created, r.StartedAt), FinishedAt: since(created, r.FinishedAt),
		NextAttemptAt: since(created, r.NextAttemptAt), DeadlineAt: since(created, r.DeadlineAt),
		CompensationAttempts: r.CompensationAttempts, Output: r.Output, Error: r.Error,
		AttemptsForgiven: r.AttemptsForgiven, CompensationForgiven: r.CompensationForgiven, Uncertain: r.Uncertain,
		Oversized: r.Oversized, EffectKnown: r.EffectKnown, LateEffect: r.LateEffect, LateCompensation: r.LateCompensation, Reopened: r.Reopened,
		Rewinds: r.Rewinds, Unsettled: r.Unsettled, EarlierEffect: r.EarlierEffect, Compensating: r.Compensating,
		Waiting: r.Waiting, Signal: r.Signal, Children: r.Children, ChildRevision: r.ChildRevision, EarlierSignals: r.EarlierSignals,
	}
	if s.Status == "" {
		s.Status = saga.StepPending
	}
	if s.Round == 0 {
		s.Round = 1
	}
	if s.Attempts = usualAttempts(s.Status); r.Attempts != nil {
		s.Attempts = *r.Attempts
	}
	if s.TookEffect = s.Status == saga.StepSucceeded; r.TookEffect != nil {
		s.TookEffect = *r.TookEffect
	}
	return s
}

// offset is a time as microseconds since the saga's creation.
type offset int64

// after returns nil for the zero time.
func after(created, at time.Time) *offset {
	if at.IsZero() {
		return nil
	}
	return new(offset(at.Sub(created) / time.Microsecond))
}

func since(created time.Time, after *offset) time.Time {
	if after == nil {
		return time.Time{}
	}
	return created.Add(time.Duration(*after) * time.Microsecond)
}
