package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/seal"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// identity holds the immutable columns of instances, one array per column.
type identity struct {
	id, definition, key, labels, traceParent []string
	names                                    []string // of the steps, as array literals: Postgres has no arrays of arrays
	texts                                    texts
	version                                  []int32
	priority                                 []int16
	createdAt                                []time.Time
	startAt                                  []*time.Time
}

// newIdentity returns columns with room for n instances.
func newIdentity(n int) identity {
	return identity{
		id: make([]string, 0, n), definition: make([]string, 0, n), key: make([]string, 0, n), labels: make([]string, 0, n),
		traceParent: make([]string, 0, n), names: make([]string, 0, n), version: make([]int32, 0, n),
		priority: make([]int16, 0, n), createdAt: make([]time.Time, 0, n), startAt: make([]*time.Time, 0, n),
	}
}

func (c *identity) add(in *saga.Instance) error {
	labels := "{}"
	if len(in.Labels) > 0 {
		var err error
		if labels, err = c.texts.encode(in.Labels); err != nil {
			return fmt.Errorf("encode the labels of saga %s: %w", in.ID, err)
		}
	}
	if in.Parent != nil {
		labels = markChild(labels)
	}
	c.id = append(c.id, in.ID)
	c.definition = append(c.definition, in.Definition)
	c.version = append(c.version, int32(in.Version)) //nolint:gosec // a column of the same range
	c.key = append(c.key, in.Key)
	c.priority = append(c.priority, int16(in.Priority))
	c.labels = append(c.labels, labels)
	c.traceParent = append(c.traceParent, in.TraceParent)
	c.names = append(c.names, stepNames(in))
	c.createdAt = append(c.createdAt, in.CreatedAt)
	c.startAt = append(c.startAt, nullable(in.StartAt))
	return nil
}

// stepNames returns an array literal. Step names need no escaping; the quotes protect one that is called "null".
func stepNames(in *saga.Instance) string {
	names := make([]string, len(in.Steps))
	for i := range in.Steps {
		names[i] = in.Steps[i].Name
	}
	return `{"` + strings.Join(names, `","`) + `"}`
}

// state holds the columns that a transition may change, one array per column.
type state struct {
	keys                                  *seal.Keys
	texts                                 texts
	deadlineAt, finishedAt, wakeAt, since []*time.Time
	status, progress                      []string
	revision                              []int64
	data, reason, step, message           []*string
	updatedAt                             []time.Time
}

// newState returns columns with room for n instances.
func newState(keys *seal.Keys, n int) state {
	return state{
		keys:       keys,
		deadlineAt: make([]*time.Time, 0, n), finishedAt: make([]*time.Time, 0, n), wakeAt: make([]*time.Time, 0, n),
		since: make([]*time.Time, 0, n), status: make([]string, 0, n), progress: make([]string, 0, n),
		revision: make([]int64, 0, n), data: make([]*string, 0, n), reason: make([]*string, 0, n), step: make([]*string, 0, n),
		message: make([]*string, 0, n), updatedAt: make([]time.Time, 0, n),
	}
}

// add adds the instance's state. Unchanged data becomes null, so that large data is not written again.
func (c *state) add(in *saga.Instance, before json.RawMessage) error {
	at := place{c.keys, in.ID}
	progress, err := c.texts.encode(progressOf(in).seal(at))
	if err != nil {
		return fmt.Errorf("encode the progress of saga %s: %w", in.ID, err)
	}
	var data, reason, step, message *string
	var since *time.Time
	if before == nil || !bytes.Equal(before, in.Data) {
		text := string(c.keys.JSON(in.ID, sealedData, in.Data))
		data = &text
	}
	if a := in.Attention; a != nil {
		reason, since, step, message = (*string)(&a.Reason), nullable(a.Since), &a.Step, new(at.text(sealedAttention, a.Message))
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

// texts is saga.EncodeJSON with a buffer that many values share.
type texts struct {
	buffer  bytes.Buffer
	encoder *json.Encoder
}

func (t *texts) encode(value any) (string, error) {
	if t.encoder == nil {
		t.encoder = json.NewEncoder(&t.buffer)
		t.encoder.SetEscapeHTML(false)
	}
	t.buffer.Reset()
	if err := t.encoder.Encode(value); err != nil {
		return "", err
	}
	return string(bytes.TrimSuffix(t.buffer.Bytes(), []byte("\n"))), nil
}
