package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// queueCommands stores commands under the lease of this replica, which publishes them right after the commit. Those that
// are held back have no lease.
func (s *Store) queueCommands(b *pgx.Batch, commands []wire.Command) {
	if held, others := splitHeld(commands); len(held) > 0 {
		s.queueHeld(b, held, 0, insertHeld)
		commands = others
	}
	n := len(commands)
	if n == 0 {
		return
	}
	sagas, ids, queues := make([]string, n), make([]string, n), make([]string, n)
	created, bodies := make([]time.Time, n), make([][]byte, n)
	for i := range commands {
		c := &commands[i]
		sagas[i], ids[i], queues[i], created[i], bodies[i] = c.ID.Saga, localID(c.ID), c.Queue, c.CreatedAt, s.sealedBody(c)
	}
	b.Queue(forRows(n, insertOneCommand, insertCommands),
		sagas, ids, queues, created, bodies, s.lease)
}

// queueRedriven adds rows for commands that are sent again. One that is there is on its way already.
func (s *Store) queueRedriven(b *pgx.Batch, commands []wire.Command) {
	held, others := splitHeld(commands)
	s.queueHeld(b, held, 1, insertHeld+` on conflict do nothing`)
	for i := range others {
		c := &others[i]
		b.Queue(`insert into outbox (saga_id, command, queue, created_at, body, claimed_until, attempts, leased, reason)
			values ($1, $2, $3, $4, $5, now() + $6, 0, true, '') on conflict do nothing`,
			c.ID.Saga, localID(c.ID), c.Queue, c.CreatedAt, s.sealedBody(c), s.lease)
	}
}

// localID returns a command's id without the saga, which has a column of its own.
func localID(id saga.CommandID) string { return strings.TrimPrefix(id.String(), id.Saga+"/") }

const (
	markRefused = `update outbox o
		set refused_at = now(), reason = n.reason, attempts = least(coalesce(o.attempts, 0), 1000000) + 1, leased = false,
			claimed_until = now() + n.wait
		from unnest($1::text[], $2::text[], $3::text[], $4::interval[]) as n (saga_id, command, reason, wait)
		where o.saga_id = any($1) and o.saga_id || '/' || o.command = n.saga_id || '/' || n.command`
	releaseOutbox = `update outbox o set leased = false, claimed_until = now()
		where o.saga_id = any($1::text[]) and o.saga_id || '/' || o.command = any($2::text[])`
)

// MarkRefused records that the broker refuses these commands. Each becomes claimable after its RetryAfter, as Suspect.
func (s *Store) MarkRefused(ctx context.Context, refused []record.RefusedCommand) error {
	sorted := slices.SortedFunc(slices.Values(refused), func(a, b record.RefusedCommand) int {
		return strings.Compare(a.Command.String(), b.Command.String())
	})
	var sagas, commands, reasons []string
	var waits []time.Duration
	for _, r := range sorted {
		if !storable(r.Command.Saga, localID(r.Command)) {
			continue
		}
		sagas, commands = append(sagas, r.Command.Saga), append(commands, localID(r.Command))
		reasons, waits = append(reasons, cleaned(r.Reason)), append(waits, r.RetryAfter)
	}
	return s.changeOutbox(ctx, "mark commands as refused", markRefused, sagas, commands, reasons, waits)
}

// ReleaseOutbox ends the lease of commands, so that another replica may publish them at once.
func (s *Store) ReleaseOutbox(ctx context.Context, commands []saga.CommandID) error {
	sagas, ids := commandColumns(commands)
	return s.changeOutbox(ctx, "release commands", releaseOutbox, sagas, ids)
}

func (s *Store) changeOutbox(ctx context.Context, what, statement string, columns ...any) error {
	err := retried(ctx, func() error {
		if _, err := s.pool.Exec(ctx, statement, columns...); err != nil {
			return err
		}
		return failpoint.Error("store/outbox-changed")
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// frontStatement returns the commands of a saga among the next ones of each queue that holds some back, and how many leave
// before each.
const frontStatement = `select f.command, f.before
	from (select distinct queue collate "C" as queue from outbox where saga_id = $1 and held_rank is not null) q
	cross join lateral (
		select n.saga_id, n.command, row_number() over () - 1 as before from (select o.saga_id, o.command from outbox o
			where o.queue collate "C" = q.queue and o.held_rank is not null
			order by o.held_rank, o.created_at, o.saga_id, o.command limit $2) n) f
	where f.saga_id = $1`

// OutboxRows returns the unconfirmed commands of a saga, oldest first.
func (s *Store) OutboxRows(ctx context.Context, sagaID string) ([]record.OutboxRow, error) {
	if !storable(sagaID) {
		return nil, nil
	}
	var found []record.OutboxRow
	err := s.look(ctx, func(ctx context.Context, q queryer) error {
		before, err := commandsBefore(ctx, q, sagaID)
		if err != nil {
			return err
		}
		rows, err := q.Query(ctx, `select saga_id || '/' || command, queue, created_at, refused_at, reason, attempts,
				case when (refused_at is not null or reason <> '') and not leased and held_rank is null then claimed_until end, held_rank is not null
			from outbox o where saga_id = $1 order by created_at, command`, sagaID)
		if err != nil {
			return err
		}
		return readRows(rows, (*outboxRow).columns, func(row *outboxRow, _ error) {
			if row.HeldBack {
				row.Before = record.MaxBefore
				if n, known := before[row.CommandID]; known {
					row.Before = n
				}
			}
			found = append(found, row.shown())
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read the outbox of saga %s: %w", sagaID, err)
	}
	return found, nil
}

// commandsBefore counts the commands that leave before those of the saga that are held back, by command id. Commands with more
// than record.MaxBefore before them are left out. It is read first: a command that leaves meanwhile is not held back any more.
func commandsBefore(ctx context.Context, q queryer, sagaID string) (map[string]int64, error) {
	rows, err := q.Query(ctx, frontStatement, sagaID, record.MaxBefore)
	if err != nil {
		return nil, err
	}
	all := make(map[string]int64)
	var command string
	var before int64
	_, err = pgx.ForEachRow(rows, []any{&command, &before}, func() error {
		all[sagaID+"/"+command] = before
		return nil
	})
	return all, err
}

// outboxRow is an outbox row without its body. A broken row keeps its readable columns.
type outboxRow struct {
	record.OutboxRow
	refusedAt, retryAt *time.Time
}

func (r *outboxRow) columns() []any {
	return []any{&r.CommandID, &r.Queue, &r.CreatedAt, &r.refusedAt, &r.Reason, &r.Attempts, &r.retryAt, &r.HeldBack}
}

func (r *outboxRow) shown() record.OutboxRow {
	r.CreatedAt, r.RefusedAt, r.RetryAt = r.CreatedAt.UTC(), fromNullable(r.refusedAt), fromNullable(r.retryAt)
	for _, at := range []*time.Time{&r.CreatedAt, &r.RefusedAt, &r.RetryAt} {
		if !shown(*at) {
			*at = time.Time{}
		}
	}
	return r.OutboxRow
}
