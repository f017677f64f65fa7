package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// progressRow is saga.Progress as its column has it. Every step of a saga writes it to the log of the database, so names
// are short, times are nanoseconds after the saga's creation, and what is as at the beginning is left out. The view
// saga_steps knows the names of a step's members.
type progressRow struct {
	Phase          saga.Phase    `json:"p"`
	Entries        int64         `json:"n"`
	ProgressAt     int64         `json:"at,omitempty"`
	PausedByPerson bool          `json:"paused,omitempty"`
	TurnBack       *saga.Failure `json:"turn_back,omitempty"`
	Failure        *saga.Failure `json:"failure,omitempty"`
	DeadlinePassed bool          `json:"deadline_passed,omitempty"`
	ReopenedFrom   saga.Status   `json:"reopened_from,omitempty"`
	Overdue        bool          `json:"overdue,omitempty"`
	LastAction     string        `json:"last_action,omitempty"`
	Steps          []stepRow     `json:"s"`
}

type stepRow struct {
	Status               saga.StepStatus `json:"s,omitempty"` // none: pending
	Attempts             int             `json:"a,omitempty"`
	TookEffect           bool            `json:"e,omitempty"`
	StartedAt            *int64          `json:"b,omitempty"`
	FinishedAt           *int64          `json:"f,omitempty"`
	NextAttemptAt        *int64          `json:"w,omitempty"`
	DeadlineAt           *int64          `json:"d,omitempty"`
	CompensationAttempts int             `json:"c,omitempty"`
	Round                int             `json:"r,omitempty"` // none: the first
	Output               json.RawMessage `json:"o,omitempty"`
	Error                *saga.StepError `json:"err,omitempty"`
	AttemptsForgiven     int             `json:"forgiven,omitempty"`
	CompensationForgiven int             `json:"compensation_forgiven,omitempty"`
	Uncertain            bool            `json:"uncertain,omitempty"`
	Oversized            bool            `json:"oversized,omitempty"`
	LateEffect           bool            `json:"late_effect,omitempty"`
	LateUndo             bool            `json:"late_undo,omitempty"`
	Reopened             bool            `json:"reopened,omitempty"`
}

// encodeProgress makes the column's text of an instance's progress. The names of the steps are a column of their own.
func encodeProgress(in *saga.Instance) ([]byte, error) {
	created := in.CreatedAt.Truncate(time.Microsecond)
	p := &in.Progress
	row := progressRow{
		Phase: p.Phase, Entries: p.Entries, ProgressAt: int64(p.ProgressAt.Sub(created)), PausedByPerson: p.PausedByPerson,
		TurnBack: p.TurnBack, Failure: p.Failure, DeadlinePassed: p.DeadlinePassed, ReopenedFrom: p.ReopenedFrom,
		Overdue: p.Overdue, LastAction: p.LastAction, Steps: make([]stepRow, len(p.Steps)),
	}
	for i := range p.Steps {
		row.Steps[i] = encodeStep(&p.Steps[i], created)
	}
	return encodeJSON(row)
}

func encodeStep(s *saga.StepState, created time.Time) stepRow {
	row := stepRow{
		Attempts: s.Attempts, TookEffect: s.TookEffect, StartedAt: after(created, s.StartedAt),
		FinishedAt: after(created, s.FinishedAt), NextAttemptAt: after(created, s.NextAttemptAt),
		DeadlineAt: after(created, s.DeadlineAt), CompensationAttempts: s.CompensationAttempts, Output: s.Output,
		Error: s.Error, AttemptsForgiven: s.AttemptsForgiven, CompensationForgiven: s.CompensationForgiven,
		Uncertain: s.Uncertain, Oversized: s.Oversized, LateEffect: s.LateEffect, LateUndo: s.LateUndo, Reopened: s.Reopened,
	}
	if s.Status != saga.StepPending {
		row.Status = s.Status
	}
	if s.Round != 1 {
		row.Round = s.Round
	}
	return row
}

// decodeProgress reads the column of a saga that was created then, with steps of these names.
func decodeProgress(text []byte, created time.Time, names []string) (saga.Progress, error) {
	var row progressRow
	if err := json.Unmarshal(text, &row); err != nil {
		return saga.Progress{}, err
	}
	if len(row.Steps) != len(names) {
		return saga.Progress{}, fmt.Errorf("%d steps with %d names", len(row.Steps), len(names))
	}
	p := saga.Progress{
		Phase: row.Phase, Entries: row.Entries, ProgressAt: created.Add(time.Duration(row.ProgressAt)),
		PausedByPerson: row.PausedByPerson, TurnBack: row.TurnBack, Failure: row.Failure, DeadlinePassed: row.DeadlinePassed,
		ReopenedFrom: row.ReopenedFrom, Overdue: row.Overdue, LastAction: row.LastAction,
		Steps: make([]saga.StepState, len(row.Steps)),
	}
	for i := range row.Steps {
		p.Steps[i] = row.Steps[i].state(names[i], created)
	}
	return p, nil
}

func (r *stepRow) state(name string, created time.Time) saga.StepState {
	s := saga.StepState{
		Name: name, Status: r.Status, Attempts: r.Attempts, TookEffect: r.TookEffect, Round: r.Round,
		StartedAt: since(created, r.StartedAt), FinishedAt: since(created, r.FinishedAt),
		NextAttemptAt: since(created, r.NextAttemptAt), DeadlineAt: since(created, r.DeadlineAt),
		CompensationAttempts: r.CompensationAttempts, Output: r.Output, Error: r.Error,
		AttemptsForgiven: r.AttemptsForgiven, CompensationForgiven: r.CompensationForgiven, Uncertain: r.Uncertain,
		Oversized: r.Oversized, LateEffect: r.LateEffect, LateUndo: r.LateUndo, Reopened: r.Reopened,
	}
	if s.Status == "" {
		s.Status = saga.StepPending
	}
	if s.Round == 0 {
		s.Round = 1
	}
	return s
}

// after is how long after the saga's creation something is; nil for a time that is none.
func after(created, at time.Time) *int64 {
	if at.IsZero() {
		return nil
	}
	return new(int64(at.Sub(created)))
}

func since(created time.Time, after *int64) time.Time {
	if after == nil {
		return time.Time{}
	}
	return created.Add(time.Duration(*after))
}
