package store

import (
	"github.com/jackc/pgx/v5"

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

// parentStands is the condition that the parent of a saga s, if it has one, is still there.
const parentStands = `exists (select from children c join sagas p on p.id = c.parent where c.saga_id = s.id)`
