package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Both statements read the index of received_at. Replicas may run them at the same time: a row is deleted once.
const (
	expireByAge = `delete from dead_letters where id = any(array(select id from dead_letters
		where $1 > interval '0' and received_at < now() - $1 order by received_at, id limit $2))`
	expireByNumber = `delete from dead_letters where id = any(array(select id from dead_letters
		order by received_at desc, id desc offset $1 limit $2))`
)

// ExpireDeadLetters deletes dead letters that are older than age, or beyond the keep newest, up to limit for each. An age of
// 0 expires none.
func (s *Store) ExpireDeadLetters(ctx context.Context, age time.Duration, keep, limit int) (deleted int, err error) {
	b := &pgx.Batch{}
	count := func(tag pgconn.CommandTag) error { deleted += int(tag.RowsAffected()); return nil }
	b.Queue(expireByAge, age, limit).Exec(count)
	b.Queue(expireByNumber, keep, limit).Exec(count)
	if err := s.pool.SendBatch(ctx, b).Close(); err != nil {
		return 0, fmt.Errorf("delete old dead letters: %w", err)
	}
	return deleted, nil
}

const (
	expireBulkItems = `delete from bulk_items i where i.ctid = any(array(select b.place from bulk_actions a
		cross join lateral (select o.ctid as place from bulk_items o where o.bulk_id = a.id order by o.target limit $2) b
		where a.finished_at < now() - $1::interval limit $2))`
	expireBulk = `delete from bulk_actions a where a.finished_at < now() - $1::interval
		and not exists (select from bulk_items i where i.bulk_id = a.id)`
)

// ExpireBulk deletes targets of bulk actions that were finished before age, up to limit, and those actions that have none left.
// It returns the number of targets.
func (s *Store) ExpireBulk(ctx context.Context, age time.Duration, limit int) (deleted int, err error) {
	done, err := s.pool.Exec(ctx, expireBulkItems, age, limit)
	if deleted = int(done.RowsAffected()); err == nil && deleted < limit {
		_, err = s.pool.Exec(ctx, expireBulk, age)
	}
	if err != nil {
		return 0, fmt.Errorf("delete old bulk actions: %w", err)
	}
	return deleted, nil
}

const expireKeysStatement = `delete from idempotency_keys where key = any(array(select key from idempotency_keys
	where ended_at is not null and ended_at < now() - $1::interval order by ended_at limit $2 for update skip locked))`

// ExpireKeys deletes idempotency keys of deleted sagas that ended longer ago than age, up to limit.
func (s *Store) ExpireKeys(ctx context.Context, age time.Duration, limit int) (deleted int, err error) {
	done, err := s.pool.Exec(ctx, expireKeysStatement, age, limit)
	if err != nil {
		return 0, fmt.Errorf("delete old idempotency keys: %w", err)
	}
	return int(done.RowsAffected()), nil
}
