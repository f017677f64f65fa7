package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/record"
)

// Saga returns one saga. Errors: record.ErrSagaNotFound.
func (s *Store) Saga(ctx context.Context, id string) (saga.Instance, error) {
	if !storable(id) {
		return saga.Instance{}, fmt.Errorf("read a saga: %w", record.ErrSagaNotFound)
	}
	rows, err := s.pool.Query(ctx, `select `+sagaColumns+` from sagas s where s.id = $1`, id)
	if err != nil {
		return saga.Instance{}, fmt.Errorf("read saga %s: %w", id, err)
	}
	in, err := pgx.CollectExactlyOneRow(rows, scanSaga)
	if errors.Is(err, pgx.ErrNoRows) {
		err = record.ErrSagaNotFound
	}
	if err != nil {
		return saga.Instance{}, fmt.Errorf("read saga %s: %w", id, err)
	}
	return in, nil
}

// Changed returns those of the sagas that are there at a higher revision than the one given.
func (s *Store) Changed(ctx context.Context, revisions map[string]int64) ([]saga.Instance, error) {
	ids, known := make([]string, 0, len(revisions)), make([]int64, 0, len(revisions))
	for id, revision := range revisions {
		if storable(id) {
			ids, known = append(ids, id), append(known, revision)
		}
	}
	rows, err := s.pool.Query(ctx, `select `+sagaColumns+` from unnest($1::text[], $2::bigint[]) as n (id, revision)
		join sagas s on s.id = n.id and s.revision > n.revision`, ids, known)
	if err != nil {
		return nil, fmt.Errorf("look for changes of %d sagas: %w", len(ids), err)
	}
	changed, err := pgx.CollectRows(rows, scanSaga)
	if err != nil {
		return nil, fmt.Errorf("look for changes of %d sagas: %w", len(ids), err)
	}
	return changed, nil
}

// Sagas returns the sagas that the filter selects, newest first: by id, since ULIDs sort by time. page.After is the id
// of a saga, which need not be there any more.
func (s *Store) Sagas(ctx context.Context, filter record.Filter, page record.Page) ([]saga.Instance, error) {
	if !storable(page.After) || !storableFilter(filter) {
		return nil, nil
	}
	var where conditions
	if err := where.addFilter(filter); err != nil {
		return nil, fmt.Errorf("list sagas: %w", err)
	}
	if page.After != "" {
		where.add("s.id < ?", page.After)
	}
	statement := `select ` + sagaColumns + ` from sagas s` + where.String() + ` order by s.id desc`
	if page.Limit > 0 {
		statement += ` limit ` + strconv.Itoa(page.Limit) // a constant, so that the planner knows how few rows are wanted
	}
	var found []saga.Instance
	err := s.survey(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, statement, where.args...)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, scanSaga)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list sagas: %w", err)
	}
	return found, nil
}

// Due returns up to limit ids of sagas that were to wake by now less grace, earliest first.
func (s *Store) Due(ctx context.Context, grace time.Duration, limit int) ([]string, error) {
	rows, err := s.pool.Query(ctx, `select id from sagas where wake_at <= now() - $1::interval order by wake_at limit $2`,
		grace, limit)
	if err != nil {
		return nil, fmt.Errorf("look for due sagas: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, fmt.Errorf("look for due sagas: %w", err)
	}
	return ids, failpoint.Error("store/due")
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
