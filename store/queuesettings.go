package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// usableRate and usableTokens are the columns rate (0: none) and tokens of queue_settings within what the API accepts. A row that
// SQL has written may have any value; not a number counts as the largest.
const (
	usableRate   = `case when rate > 0 is not true then 0 else least(greatest(rate, 0.01), 100000) end` // record.MinQueueRate, record.MaxQueueRate
	usableTokens = `least(greatest(tokens, 0), 20000)`                                                  // the burst of the largest rate
)

// SetQueue changes the settings of a worker queue and returns them. change is called with the present ones, and may be
// called several times. Errors: record.ErrQueueNotFound, and those of change.
func (s *Store) SetQueue(ctx context.Context, queue string, change func(*record.QueueSettings) error) (after record.QueueSettings, err error) {
	if !storable(queue) {
		return after, record.ErrQueueNotFound
	}
	err = retried(ctx, func() error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			var before record.QueueSettings
			after, err = setQueue(ctx, tx, queue, func(settings *record.QueueSettings) error {
				before = *settings
				return change(settings)
			})
			if err != nil || after.Equal(before) {
				return err
			}
			return s.audit(ctx, tx, "queue.set", "queues/"+queue, "", before.Audited(), after.Audited())
		})
	})
	if err != nil {
		return record.QueueSettings{}, fmt.Errorf("change the settings of queue %s: %w", queue, err)
	}
	return after, nil
}

func setQueue(ctx context.Context, tx pgx.Tx, queue string, change func(*record.QueueSettings) error) (record.QueueSettings, error) {
	tag, err := tx.Exec(ctx, `insert into queue_settings (queue, paused) select $1, false
		where exists (select from definitions where $1 = any(queues)) on conflict do nothing`, queue)
	if err != nil {
		return record.QueueSettings{}, err
	}
	before := record.QueueSettings{}
	err = tx.QueryRow(ctx, `select coalesce(paused, false), greatest(max_out, 0), `+usableRate+`, since from queue_settings where queue = $1
		for update`, queue).Scan(&before.Paused, &before.MaxOut, &before.Rate, timeInto{&before.Since})
	if errors.Is(err, pgx.ErrNoRows) {
		return before, record.ErrQueueNotFound
	}
	if err != nil {
		return before, err
	}
	after := before
	if err := change(&after); err != nil {
		return before, decideError{err}
	}
	if after.Free() {
		_, err := tx.Exec(ctx, `with gone as (delete from queue_places where queue = $1) delete from queue_settings where queue = $1`, queue)
		return record.QueueSettings{}, err
	}
	if tag.RowsAffected() == 0 && after == before {
		return after, nil
	}
	if after.MaxOut == 0 {
		if _, err := tx.Exec(ctx, `delete from queue_places where queue = $1`, queue); err != nil {
			return before, err
		}
	}
	err = tx.QueryRow(ctx, `update queue_settings set paused = $2, max_out = nullif($3, 0), rate = nullif($4::double precision, 0),
			since = clock_timestamp(), counted_at = case when max_out is null then null else counted_at end,
			tokens = case when rate is null then 1 else least(tokens, $5) end,
			tokens_at = case when rate is null then clock_timestamp() else tokens_at end
		where queue = $1 returning since`, queue, after.Paused, after.MaxOut, after.Rate, after.Burst()).Scan(&after.Since)
	after.Since = after.Since.UTC()
	return after, err
}

// QueueControls returns the queues that have settings or commands that are held back, by name.
func (s *Store) QueueControls(ctx context.Context) ([]record.QueueControl, error) {
	rows, err := s.pool.Query(ctx, queueControlsStatement)
	if err != nil {
		return nil, fmt.Errorf("read the settings of queues: %w", err)
	}
	var controls []record.QueueControl
	var c record.QueueControl
	_, err = pgx.ForEachRow(rows, []any{&c.Queue, &c.Paused, &c.MaxOut, &c.Rate, timeInto{&c.Since}, &c.Waiting}, func() error {
		controls = append(controls, c)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the settings of queues: %w", err)
	}
	return controls, nil
}

// queueControlsStatement finds the queues of commands that are held back with one look into the index for each. A queue
// can have such commands and no settings: they are released then. The order names the columns of the index outbox_held, so
// that no other index serves it.
const queueControlsStatement = `with recursive held as (
		(select o.queue collate "C" as queue from outbox o where o.held_rank is not null order by o.queue collate "C", o.held_rank limit 1)
		union all
		select (select o.queue collate "C" from outbox o where o.held_rank is not null and o.queue collate "C" > h.queue
			order by o.queue collate "C", o.held_rank limit 1)
		from held h where h.queue is not null
	)
	select n.queue, coalesce(s.paused, false), greatest(s.max_out, 0), ` + usableRate + `, s.since, bool_or(n.waiting)
	from (select queue, false as waiting from queue_settings union all select queue, true from held where queue is not null) n
	left join queue_settings s on s.queue = n.queue
	group by n.queue, s.queue order by n.queue`
