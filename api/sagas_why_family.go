package api

import (
	"context"
	"errors"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/diagnose"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// lookAtFamily adds to the evidence what is wrong with the children that the saga waits for, and with its parent. What the
// caller's key does not cover is not looked at.
func (s *service) lookAtFamily(ctx context.Context, evidence *diagnose.Evidence) (err error) {
	if evidence.Lost, err = s.lostChildren(ctx, evidence); err != nil {
		return err
	}
	in := evidence.Instance
	if in.Parent == nil || in.Status.Terminal() || scopeOf(ctx) != nil {
		return nil
	}
	_, err = s.Reads.Saga(ctx, in.Parent.Saga)
	if evidence.ParentGone = errors.Is(err, record.ErrSagaNotFound); evidence.ParentGone {
		return nil
	}
	return err
}

// lostChildren returns the awaited children that will not report. A message between sagas leaves the outbox once what it causes
// is stored. So nothing is on its way if there was no message, and the saga is unchanged since.
func (s *service) lostChildren(ctx context.Context, evidence *diagnose.Evidence) (map[string]diagnose.LostChild, error) {
	in := evidence.Instance
	lost := make(map[string]diagnose.LostChild)
	for _, i := range evidence.Awaited() {
		step := &in.Steps[i]
		if !scopeOf(ctx).Covers(evidence.Definition.Steps[i].Saga) || sends(evidence.Outbox, in.ID, step.Name) {
			continue
		}
		child, is, err := s.lostChild(ctx, step.Child())
		if err != nil {
			return nil, err
		}
		if is {
			lost[step.Child()] = child
		}
	}
	if len(lost) == 0 {
		return nil, nil //nolint:nilnil // none is lost
	}
	now, err := s.Reads.Saga(ctx, in.ID)
	if err != nil || now.Revision != in.Revision {
		return nil, err
	}
	return lost, nil
}

// lostChild reports whether a child does not exist, or has ended and has nothing to report.
func (s *service) lostChild(ctx context.Context, id string) (child diagnose.LostChild, lost bool, err error) {
	stored, err := s.Reads.Saga(ctx, id)
	switch {
	case errors.Is(err, record.ErrSagaNotFound):
		return child, true, nil
	case err != nil || !stored.Status.Terminal():
		return child, false, err
	}
	rows, err := s.Reads.OutboxRows(ctx, id)
	if err != nil || sends(byCommand(rows), id, saga.ParentStep) {
		return child, false, err
	}
	return diagnose.LostChild{Status: stored.Status, Unreadable: stored.Unreadable != nil}, true, nil
}

// sends reports whether the outbox has a message of that step to another saga.
func sends(outbox map[string]record.OutboxRow, sagaID, step string) bool {
	for id, row := range outbox {
		if row.Queue == wire.BetweenSagas && strings.HasPrefix(id, sagaID+"/"+step+"/") {
			return true
		}
	}
	return false
}

func byCommand(rows []record.OutboxRow) map[string]record.OutboxRow {
	outbox := make(map[string]record.OutboxRow, len(rows))
	for _, row := range rows {
		outbox[row.CommandID] = row
	}
	return outbox
}
