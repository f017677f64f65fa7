package store

import (
	"bytes"
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// queueChildren stores which of the new sagas are children. It costs nothing if none is.
func queueChildren(b *pgx.Batch, created []saga.Instance) {
	var ids, parents, steps []string
	var levels []int32
	for i := range created {
		if parent := created[i].Parent; parent != nil {
			ids, parents = append(ids, created[i].ID), append(parents, parent.Saga)
			steps, levels = append(steps, parent.Step), append(levels, int32(parent.Level)) //nolint:gosec // at most saga.MaxLevels
		}
	}
	if len(ids) > 0 {
		b.Queue(`insert into children (saga_id, parent, step, level)
			select unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::integer[])`, ids, parents, steps, levels)
	}
}

// addParents adds the parents of those sagas that cannot be read, which their progress would name.
func addParents(ctx context.Context, q queryer, sagas map[string]record.StoredSaga) error {
	var ids []string
	for id := range sagas {
		if one := sagas[id]; one.Unreadable != nil {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	rows, err := q.Query(ctx, `select saga_id, parent, step, level from children where saga_id = any($1)`, ids)
	if err != nil {
		return err
	}
	var id string
	var parent saga.Parent
	_, err = pgx.ForEachRow(rows, []any{&id, &parent.Saga, &parent.Step, &parent.Level}, func() error {
		one, known := sagas[id], parent
		one.Parent = &known
		sagas[id] = one
		return nil
	})
	return err
}

// Both conditions are looked up for each saga, without joins: the planner would order those by the statistics, and the ones of a
// table that was empty a moment ago are the worst.
const (
	// parentStands is the condition that the parent of a saga s, if it has one, is still there.
	parentStands = `exists (select from sagas p where p.id = (select c.parent from children c where c.saga_id = s.id) offset 0)`
	// childRuns is true of a saga of table s that has a child which has not ended, and may still report to it.
	childRuns = `exists (select from children c where c.parent = s.id
		and (select k.status < 'completed' from sagas k where k.id = c.saga_id) offset 0)`
)

// childMark stands first in the labels of a child. A replica of a version without child sagas cannot read such labels, so it
// leaves the child alone: otherwise it would end the child without a word to its parent.
const childMark = `{"": 0`

func markChild(labels string) string {
	if labels == "{}" {
		return childMark + "}"
	}
	return childMark + ", " + strings.TrimPrefix(labels, "{")
}

// withoutMark returns labels as they were before markChild.
func withoutMark(labels []byte) []byte {
	if rest, marked := bytes.CutPrefix(labels, []byte(childMark)); marked {
		return append([]byte("{"), bytes.TrimPrefix(rest, []byte(","))...)
	}
	return labels
}
