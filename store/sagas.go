package store

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/record"
)

// Saga returns one saga. One that cannot be read is returned with what is known of it. Errors: record.ErrSagaNotFound.
func (s *Store) Saga(ctx context.Context, id string) (record.StoredSaga, error) {
	if !storable(id) {
		return record.StoredSaga{}, fmt.Errorf("read a saga: %w", record.ErrSagaNotFound)
	}
	rows, err := s.pool.Query(ctx, `select `+sagaColumns+` from sagas s where s.id = $1`, id)
	if err != nil {
		return record.StoredSaga{}, fmt.Errorf("read saga %s: %w", id, err)
	}
	var found []record.StoredSaga
	err = readSagas(rows, func(one record.StoredSaga, _ int64) { found = append(found, one) })
	if err == nil && len(found) == 0 {
		err = record.ErrSagaNotFound
	}
	if err != nil {
		return record.StoredSaga{}, fmt.Errorf("read saga %s: %w", id, err)
	}
	return found[0], nil
}

// Changed returns those of the sagas that are there at a higher revision than the one given, but for those that cannot
// be read. What does not fit into record.PageBytes is left for the next call.
func (s *Store) Changed(ctx context.Context, revisions map[string]int64) ([]saga.Instance, error) {
	ids, known := make([]string, 0, len(revisions)), make([]int64, 0, len(revisions))
	for id, revision := range revisions { // in any order, so that each has its turn
		if storable(id) {
			ids, known = append(ids, id), append(known, revision)
		}
	}
	rows, err := s.pool.Query(ctx, `select `+sagaColumns+` from (
			select s.id, pg_column_size(s.data) + pg_column_size(s.progress) as own,
				sum(pg_column_size(s.data) + pg_column_size(s.progress)) over (order by n.position) as total
			from unnest($1::text[], $2::bigint[]) with ordinality as n (id, revision, position)
			join sagas s on s.id = n.id and s.revision > n.revision) sized
		join sagas s on s.id = sized.id where sized.total - sized.own < $3`, ids, known, record.PageBytes)
	if err != nil {
		return nil, fmt.Errorf("look for changes of %d sagas: %w", len(ids), err)
	}
	var changed []saga.Instance
	err = readSagas(rows, func(found record.StoredSaga, _ int64) {
		if found.Unreadable == nil {
			changed = append(changed, found.Instance)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("look for changes of %d sagas: %w", len(ids), err)
	}
	return changed, nil
}

// Sagas returns the sagas that the filter selects, newest first: by id, since ULIDs sort by time. next is page.After of
// the next page, empty at the end.
func (s *Store) Sagas(
	ctx context.Context, filter record.Filter, page record.Page,
) (found []record.StoredSaga, next string, err error) {
	if !storable(page.After) || !storableFilter(filter) {
		return nil, "", nil
	}
	var where conditions
	if err := where.addFilter(filter); err != nil {
		return nil, "", fmt.Errorf("list sagas: %w", err)
	}
	if page.After != "" {
		where.add("s.id < ?", page.After)
	}
	cut := newPageCut[record.StoredSaga](page)
	statement := `select ` + sagaColumns + ` from sagas s` + where.String() + ` order by s.id desc`
	if page.Limit > 0 {
		statement += ` limit ` + strconv.Itoa(page.Limit+1) // a constant, so that the planner knows how few rows are wanted
	}
	err = s.survey(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, statement, where.args...)
		if err != nil {
			return err
		}
		return readSagas(rows, func(one record.StoredSaga, _ int64) { cut.add(one, len(one.Data)) })
	})
	if err != nil {
		return nil, "", fmt.Errorf("list sagas: %w", err)
	}
	found, next = cut.page(func(last *record.StoredSaga) string { return last.ID })
	return found, next, nil
}

// conditions gathers what must hold, and the parameters.
type conditions struct {
	texts []string
	args  []any
}

// add takes a condition with a question mark for its parameter, if it has one.
func (c *conditions) add(condition string, args ...any) {
	c.args = append(c.args, args...)
	c.texts = append(c.texts, strings.Replace(condition, "?", "$"+strconv.Itoa(len(c.args)), 1))
}

func (c *conditions) String() string {
	if len(c.texts) == 0 {
		return ""
	}
	return " where " + strings.Join(c.texts, " and ")
}

// storableFilter reports whether a row can have the values that the filter asks for.
func storableFilter(filter record.Filter) bool {
	texts := slices.Concat(slices.Collect(maps.Keys(filter.Labels)), slices.Collect(maps.Values(filter.Labels)))
	for _, text := range []*string{filter.Definition, filter.Key} {
		if text != nil {
			texts = append(texts, *text)
		}
	}
	return storable(texts...) && (filter.Version == nil || storableVersion(*filter.Version))
}

// addFilter says the same thing twice where a partial index needs to hear it.
func (c *conditions) addFilter(filter record.Filter) error {
	if filter.Definition != nil {
		c.add("s.definition = ?", *filter.Definition)
	}
	if filter.Version != nil {
		c.add("s.version = ?", *filter.Version)
	}
	if filter.Statuses != nil {
		c.add("s.status = any(?::text[]::saga_status[])", filter.Statuses)
		if !slices.ContainsFunc(filter.Statuses, saga.Status.Terminal) {
			c.add("s.finished_at is null")
		} else if !slices.ContainsFunc(filter.Statuses, func(s saga.Status) bool { return !s.Terminal() }) {
			c.add("s.finished_at is not null")
		}
	}
	if filter.Key != nil {
		c.add("s.key = ?", *filter.Key)
		if *filter.Key != "" {
			c.add("s.key <> ''")
		}
	}
	if len(filter.Labels) > 0 {
		labels, err := json.Marshal(filter.Labels)
		if err != nil {
			return fmt.Errorf("encode the labels: %w", err)
		}
		c.add("s.labels @> ?::jsonb", string(labels))
		c.add("s.labels <> '{}'")
	}
	if filter.CreatedAfter != nil {
		c.add("s.created_at > ?", *filter.CreatedAfter)
	}
	if filter.CreatedBefore != nil {
		c.add("s.created_at < ?", *filter.CreatedBefore)
	}
	if filter.NeedsAttention {
		c.add("s.attention_reason is not null")
	}
	if filter.AttentionReasons != nil {
		c.add("s.attention_reason = any(?::text[]::attention_reason[])", filter.AttentionReasons)
	}
	return nil
}
