package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// CreateBulk stores a bulk action with its targets: the sagas that match now. CreatedAt becomes the database's time. If the
// idempotency key was used for the same request, CreateBulk returns that bulk action as it is now, which has another id.
// Errors: record.ErrBulkTooLarge, record.ErrIdempotencyConflict.
func (s *Store) CreateBulk(
	ctx context.Context, action record.BulkAction, targets record.BulkTargets,
) (created record.BulkAction, err error) {
	err = s.bulkTx(ctx, func(tx pgx.Tx) error {
		// A plan for a short list would be slow for a long one.
		if _, err := tx.Exec(ctx, `set local enable_seqscan = on; set local enable_hashjoin = on; set local plan_cache_mode = force_custom_plan`); err != nil {
			return err
		}
		made, err := s.insertBulk(ctx, tx, action)
		if err != nil {
			return err
		}
		if !made {
			created, err = s.repeatedBulk(ctx, tx, action)
			return err
		}
		statement, arguments, err := bulkTargets(action, targets)
		if err != nil {
			return err
		}
		done, err := tx.Exec(ctx, statement, arguments...)
		if err != nil {
			return err
		}
		if done.RowsAffected() > record.MaxBulkTargets {
			return record.ErrBulkTooLarge
		}
		if created, err = s.settleBulk(ctx, tx, action.ID, func(*record.BulkAction) error { return nil }); err != nil {
			return err
		}
		return s.audit(ctx, tx, "bulk.create", "actions/"+action.ID, "", nil, created.Audited())
	})
	if err != nil {
		return record.BulkAction{}, fmt.Errorf("create a bulk action: %w", err)
	}
	return created, nil
}

// bulkTargets inserts the targets, and one more than allowed, which shows that there are too many.
func bulkTargets(action record.BulkAction, targets record.BulkTargets) (statement string, arguments []any, err error) {
	insert := `insert into bulk_items (bulk_id, target) `
	limit := " limit " + strconv.Itoa(record.MaxBulkTargets+1)
	switch {
	case targets.Sagas != nil:
		filter, some := targets.Sagas.Scoped()
		list, err := newList(filter, record.Page{Limit: record.MaxBulkTargets})
		if err != nil {
			return "", nil, err
		}
		if !some || len(list.branches) == 0 || !storableFilter(filter) {
			return `select`, nil, nil
		}
		list.bound = math.MaxInt32
		id := list.argument(action.ID)
		return insert + `select ` + id + `, c.id from (` + list.bounded() + `) c` + list.where() + limit, list.arguments, nil
	case targets.DeadLetters != nil:
		conditions, arguments, fits := deadLetterConditions(*targets.DeadLetters, []any{action.ID})
		if !fits {
			return `select`, nil, nil
		}
		return insert + `select $1, d.id from dead_letters d where ` + conditions + limit, arguments, nil
	case action.Kind == record.BulkDeadLetters:
		return insert + `select $1, d.id from dead_letters d where d.id = any($2)
			and ($3::text[] is null or exists (select from sagas s where s.id = d.saga_id and s.definition = any($3)))` + limit,
			[]any{action.ID, targets.IDs, []string(targets.Scope)}, nil
	default:
		return insert + `select $1, s.id from sagas s where s.id = any($2) and ($3::text[] is null or s.definition = any($3))` + limit,
			[]any{action.ID, targets.IDs, []string(targets.Scope)}, nil
	}
}

// bulkTx runs a transaction on the engine's pool.
func (s *Store) bulkTx(ctx context.Context, do func(pgx.Tx) error) error {
	return retried(ctx, func() error {
		err := pgx.BeginFunc(ctx, s.pool, do)
		if errors.Is(err, record.ErrBulkTooLarge) || errors.Is(err, record.ErrBulkNotFound) || errors.Is(err, record.ErrBulkNotApplicable) ||
			errors.Is(err, record.ErrIdempotencyConflict) {
			return decideError{err}
		}
		return refused(err)
	})
}

// Bulk returns a bulk action. Errors: record.ErrBulkNotFound.
func (s *Store) Bulk(ctx context.Context, id string) (action record.BulkAction, err error) {
	found, err := s.bulks(ctx, `where a.id = $1`, id)
	if err == nil && len(found) == 0 {
		err = record.ErrBulkNotFound
	}
	if err != nil {
		return action, fmt.Errorf("read bulk action: %w", err)
	}
	return found[0], nil
}

// Bulks returns bulk actions, newest first.
func (s *Store) Bulks(ctx context.Context, page record.Page) (found []record.BulkAction, next string, err error) {
	found, err = s.bulks(ctx, `where ($1 = '' or a.id < $1)
		and ($3::text[] is null or a.definitions <@ $3) order by a.id desc limit $2`, page.After, page.Limit+1, []string(page.Scope))
	if err != nil {
		return nil, "", fmt.Errorf("list bulk actions: %w", err)
	}
	if len(found) > page.Limit {
		found = found[:page.Limit]
		next = found[len(found)-1].ID
	}
	return found, next, nil
}

// BulkItems returns the targets of a bulk action by id: all, or those with one outcome. Errors: record.ErrBulkNotFound.
func (s *Store) BulkItems(
	ctx context.Context, id string, outcome record.BulkOutcome, page record.Page,
) (found []record.BulkItem, next string, err error) {
	if _, err := s.Bulk(ctx, id); err != nil {
		return nil, "", err
	}
	err = s.survey(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `select target, coalesce(outcome, ''), message, at from bulk_items
			where bulk_id = $1 and target > $2 and ($3 = '' or outcome = $3) order by target limit $4`,
			id, cleaned(page.After), string(outcome), page.Limit+1)
		if err != nil {
			return err
		}
		found, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (item record.BulkItem, err error) {
			err = row.Scan(&item.Target, &item.Outcome, &item.Message, timeInto{&item.At})
			return item, err
		})
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("list the items of bulk action %s: %w", id, err)
	}
	if len(found) > page.Limit {
		found = found[:page.Limit]
		next = found[len(found)-1].Target
	}
	return found, next, nil
}

// ControlBulk changes the status of a bulk action as control decides from its current tally. After an error of control
// nothing has changed. Errors: record.ErrBulkNotFound, record.ErrBulkNotApplicable.
func (s *Store) ControlBulk(
	ctx context.Context, id string, control func(*record.BulkAction) error,
) (action record.BulkAction, err error) {
	if !storable(id) {
		return action, fmt.Errorf("change a bulk action: %w", record.ErrBulkNotFound)
	}
	err = s.bulkTx(ctx, func(tx pgx.Tx) error {
		var before record.BulkStatus
		action, err = s.settleBulk(ctx, tx, id, func(action *record.BulkAction) error {
			before = action.Status
			return control(action)
		})
		if err != nil {
			return err
		}
		return s.audit(ctx, tx, action.AuditedControl(), "actions/"+id, "", record.AuditedStatus(before), record.AuditedStatus(action.Status))
	})
	if err != nil {
		return record.BulkAction{}, fmt.Errorf("change bulk action %s: %w", id, err)
	}
	return action, nil
}

// settleBulk locks a bulk action, changes it, and derives the status that its tally implies. Results take the lock in
// share mode, so none is stored meanwhile.
func (s *Store) settleBulk(
	ctx context.Context, tx pgx.Tx, id string, control func(*record.BulkAction) error,
) (action record.BulkAction, err error) {
	var now time.Time
	err = tx.QueryRow(ctx, `select clock_timestamp() from bulk_actions where id = $1 for update`, id).Scan(&now)
	if errors.Is(err, pgx.ErrNoRows) {
		return action, record.ErrBulkNotFound
	}
	if err != nil {
		return action, err
	}
	rows, err := tx.Query(ctx, `select `+bulkColumns+` from bulk_actions a`+bulkTally+` where a.id = $1`, id)
	if err == nil {
		action, err = s.oneBulk(ctx, tx, rows)
	}
	if err == nil {
		err = control(&action)
	}
	if err != nil {
		return action, err
	}
	action.Settle(now.UTC().Truncate(time.Microsecond))
	_, err = tx.Exec(ctx, `update bulk_actions set status = $2, canary = $3, stop_base = $4, finished_at = $5 where id = $1
			and (status, canary, stop_base) is distinct from ($2, $3, $4)`,
		id, action.Status, action.Canary, action.StopBase, nullable(action.FinishedAt))
	return action, err
}

// ClaimBulks claims running bulk actions for the holder until the lease expires, and returns them. It takes those that
// no other holder has claimed. While this replica lacks a key of payloads, it leaves those to others that have to read sagas.
func (s *Store) ClaimBulks(ctx context.Context, holder string, lease time.Duration) (claimed []record.BulkAction, err error) {
	var some bool // without a transaction, because almost always there is none
	if err := s.pool.QueryRow(ctx, `select exists (select from bulk_actions where status = 'running')`).Scan(&some); err != nil || !some {
		return nil, wrapped("look for bulk actions", err)
	}
	err = s.bulkTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `with mine as (
				select id from bulk_actions where status = 'running'
					and ($3 or action in ('`+string(saga.ActionAbandon)+`', '`+record.BulkDiscard+`')) and (holder = $1
						or coalesce(claimed_until not between clock_timestamp() and clock_timestamp() + $4::interval, true))
				order by id for update skip locked),
			claimed as (update bulk_actions b set holder = $1, claimed_until = clock_timestamp() + $2 from mine where b.id = mine.id
				returning b.*)
			select `+bulkColumns+` from claimed a`+bulkTally, holder, lease, len(s.lackedMarks()) == 0, max(longestLease, 2*lease))
		if err != nil {
			return err
		}
		claimed, err = s.scanBulks(ctx, tx, rows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim bulk actions: %w", err)
	}
	return claimed, nil
}

// RemainingBulk returns targets without an outcome, by id.
func (s *Store) RemainingBulk(ctx context.Context, id string, limit int) (targets []string, err error) {
	err = s.look(ctx, func(ctx context.Context, q queryer) error {
		rows, err := q.Query(ctx, `select target from bulk_items where bulk_id = $1 and outcome is null order by target limit $2`, id, limit)
		if err != nil {
			return err
		}
		targets, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read what remains of bulk action %s: %w", id, err)
	}
	return targets, nil
}
