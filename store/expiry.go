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
