package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// errBrokenRow means that a row does not hold what was written: somebody changed it by hand, or a newer program did.
var errBrokenRow = errors.New("cannot be read")

// sagaColumns are the columns of sagas in the order of scanSaga.
const sagaColumns = `s.id, s.definition, s.version, s.key, s.priority, s.labels, s.trace_parent, s.step_names, s.created_at, s.start_at,
	s.deadline_at, s.status, s.revision, s.data, s.updated_at, s.finished_at, s.wake_at,
	s.attention_reason, s.attention_since, s.attention_step, s.attention_message, s.progress`

// scanSaga reads a row of sagaColumns.
func scanSaga(row pgx.CollectableRow) (saga.Instance, error) {
	var in saga.Instance
	var startAt, deadlineAt, finishedAt, wakeAt, since *time.Time
	var reason, step, message *string
	var labels, progress []byte
	var names []string
	err := row.Scan(&in.ID, &in.Definition, &in.Version, &in.Key, &in.Priority, &labels, &in.TraceParent,
		&names, &in.CreatedAt, &startAt, &deadlineAt, &in.Status, &in.Revision, (*[]byte)(&in.Data), &in.UpdatedAt,
		&finishedAt, &wakeAt, &reason, &since, &step, &message, &progress)
	if err != nil {
		return in, fmt.Errorf("read the row of saga %s: %w", in.ID, err)
	}
	in.CreatedAt, in.UpdatedAt = in.CreatedAt.UTC(), in.UpdatedAt.UTC()
	if in.Progress, err = decodeProgress(progress, in.CreatedAt, in.UpdatedAt, names); err != nil {
		return in, fmt.Errorf("%w: the progress of saga %s: %w", errBrokenRow, in.ID, err)
	}
	if err := json.Unmarshal(labels, &in.Labels); err != nil {
		return in, fmt.Errorf("%w: the labels of saga %s: %w", errBrokenRow, in.ID, err)
	}
	if len(in.Labels) == 0 {
		in.Labels = nil
	}
	in.StartAt, in.DeadlineAt = fromNullable(startAt), fromNullable(deadlineAt)
	in.FinishedAt, in.WakeAt = fromNullable(finishedAt), fromNullable(wakeAt)
	if reason != nil {
		in.Attention = &saga.Attention{
			Reason: saga.AttentionReason(*reason), Since: fromNullable(since), Step: *step, Message: *message,
		}
	}
	return in, nil
}

// identity holds, as one array per column, what of an instance never changes.
type identity struct {
	id, definition, key, labels, traceParent []string
	names                                    []string // of the steps, as the text of an array: there are no arrays of arrays
	texts                                    texts
	version                                  []int32
	priority                                 []int16
	createdAt                                []time.Time
	startAt                                  []*time.Time
}

func (c *identity) add(in *saga.Instance) error {
	labels := "{}"
	if len(in.Labels) > 0 {
		var err error
		if labels, err = c.texts.encode(in.Labels); err != nil {
			return fmt.Errorf("encode the labels of saga %s: %w", in.ID, err)
		}
	}
	c.id = append(c.id, in.ID)
	c.definition = append(c.definition, in.Definition)
	c.version = append(c.version, int32(in.Version))
	c.key = append(c.key, in.Key)
	c.priority = append(c.priority, int16(in.Priority))
	c.labels = append(c.labels, labels)
	c.traceParent = append(c.traceParent, in.TraceParent)
	c.names = append(c.names, stepNames(in))
	c.createdAt = append(c.createdAt, in.CreatedAt)
	c.startAt = append(c.startAt, nullable(in.StartAt))
	return nil
}

// stepNames is the text of an array. Names of steps hold nothing that would end the quotes; one may be "null".
func stepNames(in *saga.Instance) string {
	names := make([]string, len(in.Steps))
	for i := range in.Steps {
		names[i] = in.Steps[i].Name
	}
	return `{"` + strings.Join(names, `","`) + `"}`
}

// state holds, as one array per column, what a transition may change.
type state struct {
	texts                                 texts
	deadlineAt, finishedAt, wakeAt, since []*time.Time
	status, progress                      []string
	revision                              []int64
	data, reason, step, message           []*string
	updatedAt                             []time.Time
}

// add takes the instance's state. Data that is the same as before goes as null, so that large data is not written anew.
func (c *state) add(in *saga.Instance, before json.RawMessage) error {
	progress, err := c.texts.encode(progressOf(in))
	if err != nil {
		return fmt.Errorf("encode the progress of saga %s: %w", in.ID, err)
	}
	var data, reason, step, message *string
	var since *time.Time
	if before == nil || !bytes.Equal(before, in.Data) {
		text := string(in.Data)
		data = &text
	}
	if a := in.Attention; a != nil {
		reason, since, step, message = (*string)(&a.Reason), nullable(a.Since), &a.Step, &a.Message
	}
	c.deadlineAt = append(c.deadlineAt, nullable(in.DeadlineAt))
	c.status = append(c.status, string(in.Status))
	c.revision = append(c.revision, in.Revision)
	c.data = append(c.data, data)
	c.updatedAt = append(c.updatedAt, in.UpdatedAt)
	c.finishedAt = append(c.finishedAt, nullable(in.FinishedAt))
	c.wakeAt = append(c.wakeAt, nullable(in.WakeAt))
	c.reason = append(c.reason, reason)
	c.since = append(c.since, since)
	c.step = append(c.step, step)
	c.message = append(c.message, message)
	c.progress = append(c.progress, progress)
	return nil
}
