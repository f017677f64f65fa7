package store

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/seal"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// sagaColumns are the columns of sagas in the order of sagaRow.columns.
const sagaColumns = `s.id, s.definition, s.version, s.key, s.priority, s.labels, s.trace_parent, s.step_names, s.created_at, s.start_at,
	s.deadline_at, s.status, s.revision, s.data, s.updated_at, s.finished_at, s.wake_at,
	s.attention_reason, s.attention_since, s.attention_step, s.attention_message, s.progress, s.write_token, s.xmin`

// sagaRow is a row of sagaColumns.
type sagaRow struct {
	in                                     saga.Instance
	startAt, deadlineAt, finishedAt, since *time.Time
	wakeAt                                 *time.Time
	reason, step, message                  *string
	labels, progress                       []byte
	names                                  []string
	fence                                  fence
}

func (r *sagaRow) columns() []any {
	in := &r.in
	return []any{
		&in.ID, &in.Definition, &in.Version, &in.Key, &in.Priority, &r.labels, &in.TraceParent, &r.names, &in.CreatedAt,
		&r.startAt, &r.deadlineAt, (*string)(&in.Status), &in.Revision, (*[]byte)(&in.Data), &in.UpdatedAt, &r.finishedAt,
		&r.wakeAt, &r.reason, &r.since, &r.step, &r.message, &r.progress, &r.fence.token, &r.fence.transaction,
	}
}

// readSagas reads rows of sagaColumns.
func (s *Store) readSagas(rows pgx.Rows, take func(found record.StoredSaga, row *sagaRow)) error {
	return readRows(rows, (*sagaRow).columns, func(row *sagaRow, fault error) { take(row.stored(s.keys, fault), row) })
}

// size returns the size of the row's documents in bytes.
func (r *sagaRow) size() int { return len(r.in.Data) + len(r.progress) }

// stored returns the saga of the row. fault is the first fault of a column.
func (r *sagaRow) stored(keys *seal.Keys, fault error) record.StoredSaga {
	in := &r.in
	in.CreatedAt, in.UpdatedAt = in.CreatedAt.UTC(), in.UpdatedAt.UTC()
	in.StartAt, in.DeadlineAt = fromNullable(r.startAt), fromNullable(r.deadlineAt)
	in.FinishedAt, in.WakeAt = fromNullable(r.finishedAt), fromNullable(r.wakeAt)
	fault = cmp.Or(fault, r.open(keys), r.readAttention(keys), r.readLabels(), checkColumns(in))
	progress, err := decodeProgress(place{keys, in.ID}, r.progress, in.CreatedAt, in.UpdatedAt, r.names)
	if fault = cmp.Or(fault, err); fault == nil {
		in.Progress = progress
		if in.Status == saga.Abandoned && progress.Phase != saga.PhaseEnded {
			record.EndAbandoned(&in.Progress)
		}
		return record.StoredSaga{Instance: *in}
	}
	dropBadTimes(in)
	in.Progress = saga.Progress{Steps: make([]saga.StepState, len(r.names))}
	for i, name := range r.names {
		in.Steps[i].Name = name
	}
	return record.StoredSaga{Instance: *in, Unreadable: unreadable("saga "+in.ID, fault)}
}

// open opens sealed data.
func (r *sagaRow) open(keys *seal.Keys) error {
	data, err := keys.OpenJSON(r.in.ID, sealedData, r.in.Data)
	if err == nil {
		r.in.Data, err = showable(data), checkNesting(data)
	}
	return err
}

func (r *sagaRow) readAttention(keys *seal.Keys) error {
	if r.reason == nil {
		return nil
	}
	r.in.Attention = &saga.Attention{Reason: saga.AttentionReason(*r.reason), Since: fromNullable(r.since)}
	if r.since == nil || r.step == nil || r.message == nil {
		return errors.New("the attention is incomplete")
	}
	r.in.Attention.Step, r.in.Attention.Message = *r.step, place{keys, r.in.ID}.message(sealedAttention, *r.message)
	return nil
}

func (r *sagaRow) readLabels() error {
	if err := json.Unmarshal(withoutMark(r.labels), &r.in.Labels); err != nil {
		r.in.Labels = nil
		return fmt.Errorf("column labels: %w", err)
	}
	if len(r.in.Labels) == 0 {
		r.in.Labels = nil
	}
	return nil
}

// maxRevision leaves room for later changes.
const maxRevision = math.MaxInt64 / 2

// checkColumns reports values that this program never writes and cannot handle.
func checkColumns(in *saga.Instance) error {
	switch {
	case in.Version < 1:
		return fmt.Errorf("version %d", in.Version)
	case !slices.Contains(saga.Statuses(), in.Status):
		return fmt.Errorf("unknown status %q", in.Status)
	case in.Revision < 1 || in.Revision > maxRevision:
		return fmt.Errorf("revision %d", in.Revision)
	case !bytes.HasPrefix(bytes.TrimLeft(in.Data, " \t\r\n"), []byte("{")):
		return errors.New("the data is not an object")
	case in.Attention != nil && !slices.Contains(saga.AttentionReasons(), in.Attention.Reason):
		return fmt.Errorf("unknown reason for attention %q", in.Attention.Reason)
	}
	for _, at := range timesOf(in) {
		if !shown(*at) {
			return errOutOfRange
		}
	}
	return nil
}

func timesOf(in *saga.Instance) []*time.Time {
	times := []*time.Time{&in.CreatedAt, &in.UpdatedAt, &in.StartAt, &in.DeadlineAt, &in.FinishedAt, &in.WakeAt}
	if in.Attention != nil {
		times = append(times, &in.Attention.Since)
	}
	return times
}

// dropBadTimes clears the times that cannot be shown.
func dropBadTimes(in *saga.Instance) {
	for _, at := range timesOf(in) {
		if !shown(*at) {
			*at = time.Time{}
		}
	}
}
