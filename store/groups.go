package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// searchableSteps are the names of the steps of table s. SQL may have given them more dimensions, in which nothing can be searched.
const searchableSteps = `case when array_ndims(s.step_names) = 1 then s.step_names end`

// attentionCode is the error code of the step of table s that needs attention, in SQL. An unreadable progress has none.
func attentionCode() string {
	return `coalesce(case when ` + sound("s.progress") + ` then
		s.progress -> 's' -> (array_position(` + searchableSteps + `, s.attention_step) - 1) -> 'err' ->> 'code' end, '')`
}

// listGroups lists the largest groups of a definition, or of all definitions if it is empty.
func listGroups() string {
	return `select g.definition, g.reason, g.step, g.code, g.count, g.oldest, g.newest, g.example, sum(g.count) over ()::bigint
		from (select coalesce(s.definition, '') as definition, s.attention_reason::text as reason,
				coalesce(s.attention_step, '') as step, ` + attentionCode() + ` as code, count(*),
				min(s.attention_since) filter (where s.attention_since` + usable + `) as oldest,
				max(s.attention_since) filter (where s.attention_since` + usable + `) as newest, min(s.id) as example
			from sagas s where s.attention_reason is not null and ($1 = '' or s.definition = $1)
				and ($3::text[] is null or s.definition = any($3)) group by 1, 2, 3, 4) g
		order by g.count desc, g.definition, g.reason, g.step, g.code limit $2`
}

// Attention counts the sagas that need attention, by definition and reason.
func (s *Store) Attention(ctx context.Context) (counts []record.AttentionCount, err error) {
	err = s.survey(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select coalesce(definition, ''), attention_reason::text, count(*) from sagas
			where attention_reason is not null group by 1, 2 order by 1, 2`)
		if err != nil {
			return err
		}
		counts, err = pgx.CollectRows(rows, pgx.RowToStructByPos[record.AttentionCount])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count the sagas that need attention: %w", err)
	}
	return counts, nil
}

// Groups groups the sagas of the scope that need attention by reason, step and error, largest group first. An empty
// definition selects all.
func (s *Store) Groups(ctx context.Context, scope record.Scope, definition string) (found record.Groups, err error) {
	if !storable(definition) {
		return found, nil
	}
	rows := &pgx.Batch{}
	rows.Queue(listGroups(), definition, record.MaxGroups, []string(scope)).
		Query(func(rows pgx.Rows) error {
			var g record.Group
			columns := []any{
				&g.Definition, &g.Reason, &g.Step, &g.ErrorCode, &g.Sagas, timeInto{&g.Oldest}, timeInto{&g.Newest}, &g.Example, &found.Sagas,
			}
			_, err := pgx.ForEachRow(rows, columns, func() error {
				found.Groups = append(found.Groups, g)
				return nil
			})
			return err
		})
	err = s.survey(ctx, func(tx pgx.Tx) error {
		found = record.Groups{}
		return tx.SendBatch(ctx, rows).Close()
	})
	if err != nil {
		return record.Groups{}, fmt.Errorf("group the sagas that need attention: %w", err)
	}
	return found, nil
}
