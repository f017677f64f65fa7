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

// OutboxRows returns the unconfirmed commands of a saga, oldest first.
func (s *Store) OutboxRows(ctx context.Context, sagaID string) ([]record.OutboxRow, error) {
	if !storable(sagaID) {
		return nil, nil
	}
	var found []record.OutboxRow
	err := s.look(ctx, func(ctx context.Context, q queryer) error {
		rows, err := q.Query(ctx, `select saga_id || '/' || command, queue, created_at, refused_at, reason, attempts,
				case when refused_at is not null and not leased and held_rank is null then claimed_until end,
				held_rank is not null, case when held_rank is not null then (select count(*) from (select from outbox b
					where b.queue collate "C" = o.queue collate "C" and b.held_rank is not null
						and (b.held_rank, b.created_at, b.saga_id, b.command) < (o.held_rank, o.created_at, o.saga_id, o.command)
					limit $2) earlier) else 0 end
			from outbox o where saga_id = $1 order by created_at, command`, sagaID, record.MaxBefore)
		if err != nil {
			return err
		}
		return readRows(rows, (*outboxRow).columns, func(row *outboxRow, _ error) { found = append(found, row.shown()) })
	})
	if err != nil {
		return nil, fmt.Errorf("read the outbox of saga %s: %w", sagaID, err)
	}
	return found, nil
}

// outboxRow is an outbox row without its body. A broken row keeps its readable columns.
type outboxRow struct {
	record.OutboxRow
	refusedAt, retryAt *time.Time
}

func (r *outboxRow) columns() []any {
	return []any{&r.CommandID, &r.Queue, &r.CreatedAt, &r.refusedAt, &r.Reason, &r.Attempts, &r.retryAt, &r.HeldBack, &r.Before}
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
