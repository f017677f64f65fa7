package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// queueCommands writes the commands under the lease of this replica, which publishes them as soon as they are committed.
func (s *Store) queueCommands(b *pgx.Batch, commands []wire.Command) {
	n := len(commands)
	if n == 0 {
		return
	}
	sagas, ids, queues := make([]string, n), make([]string, n), make([]string, n)
	created, bodies := make([]time.Time, n), make([][]byte, n)
	for i := range commands {
		c := &commands[i]
		sagas[i], ids[i], queues[i], created[i], bodies[i] = c.ID.Saga, localID(c.ID), c.Queue, c.CreatedAt, c.Body
	}
	queueRows(b, n, `insert into outbox (saga_id, command, queue, created_at, body, claimed_until, leased, attempts, reason)
		select unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::timestamptz[]), unnest($5::bytea[]),
			clock_timestamp() + $6::interval, true, 0, ''`,
		sagas, ids, queues, created, bodies, s.lease)
}

// localID is a command's id without the saga's, which is a column of its own.
func localID(id saga.CommandID) string { return strings.TrimPrefix(id.String(), id.Saga+"/") }

// ClaimOutbox takes over up to limit commands that nobody is publishing: their lease ran out, since the replica that
// held it is gone or could not publish, or the wait after a return is over. Those that have waited longest come first,
// so that one that cannot be published keeps none of the others back. With commands may come an error, which is about
// others that cannot be read.
func (s *Store) ClaimOutbox(ctx context.Context, limit int) ([]wire.Command, error) {
	rows, err := s.pool.Query(ctx, `with due as (
			select saga_id, command from outbox where claimed_until <= now()
			order by claimed_until limit $1 for update skip locked)
		update outbox o set claimed_until = now() + $2::interval, leased = true, attempts = o.attempts + o.leased::integer
		from due d join sagas s on s.id = d.saga_id where o.saga_id = d.saga_id and o.command = d.command
		returning o.saga_id || '/' || o.command, s.definition, s.version, o.queue, s.priority, s.trace_parent,
			o.created_at, o.body`, limit, s.lease)
	if err != nil {
		return nil, fmt.Errorf("claim commands of the outbox: %w", err)
	}
	commands, err := pgx.CollectRows(rows, scanCommand)
	if err != nil {
		return nil, fmt.Errorf("claim commands of the outbox: %w", err)
	}
	if err := failpoint.Error("store/claimed"); err != nil {
		return nil, err
	}
	commands, err = s.complete(ctx, commands)
	slices.SortFunc(commands, func(a, b wire.Command) int {
		if order := a.CreatedAt.Compare(b.CreatedAt); order != 0 {
			return order
		}
		return strings.Compare(a.ID.String(), b.ID.String())
	})
	return commands, err
}

// complete adds what the definitions say of commands, and leaves out those of which they say nothing.
func (s *Store) complete(ctx context.Context, commands []wire.Command) (whole []wire.Command, err error) {
	plans := newPlans(s)
	for _, c := range commands {
		d, fault := plans.get(ctx, c.Definition, c.Version)
		if fault != nil {
			err = errors.Join(err, fmt.Errorf("complete command %s: %w", c.ID, fault))
			continue
		}
		var known bool
		if c.Name, _, c.Timeout, known = d.Order(c.ID.Step, c.ID.Direction); !known {
			err = errors.Join(err, fmt.Errorf("complete command %s: its definition has no such step", c.ID))
			continue
		}
		whole = append(whole, c)
	}
	return whole, err
}

func scanCommand(row pgx.CollectableRow) (wire.Command, error) {
	var c wire.Command
	var id string
	err := row.Scan(&id, &c.Definition, &c.Version, &c.Queue, &c.Priority, &c.TraceParent, &c.CreatedAt, &c.Body)
	if err != nil {
		return c, fmt.Errorf("read the outbox row %s: %w", id, err)
	}
	c.CreatedAt = c.CreatedAt.UTC()
	if c.ID, err = saga.ParseCommandID(id); err != nil {
		return c, fmt.Errorf("read the outbox row %s: %w", id, err)
	}
	return c, nil
}

// MarkReturned notes that the broker had no queue for the commands. Each is claimable again after its RetryAfter.
func (s *Store) MarkReturned(ctx context.Context, returned []record.Returned) error {
	sorted := slices.SortedFunc(slices.Values(returned), func(a, b record.Returned) int {
		return strings.Compare(a.Command.String(), b.Command.String())
	})
	var sagas, commands, reasons []string
	var waits []time.Duration
	for _, r := range sorted {
		sagas, commands = append(sagas, r.Command.Saga), append(commands, localID(r.Command))
		reasons, waits = append(reasons, cleaned(r.Reason)), append(waits, r.RetryAfter)
	}
	return s.changeOutbox(ctx, "mark commands as returned", `update outbox o
		set returned_at = now(), reason = n.reason, attempts = o.attempts + 1, leased = false, claimed_until = now() + n.wait
		from unnest($1::text[], $2::text[], $3::text[], $4::interval[]) as n (saga_id, command, reason, wait)
		where o.saga_id = n.saga_id and o.command = n.command`, sagas, commands, reasons, waits)
}

// ReleaseOutbox gives the lease of commands up, so that another replica may publish them at once.
func (s *Store) ReleaseOutbox(ctx context.Context, ids []saga.CommandID) error {
	sagas, commands := commandColumns(ids)
	return s.changeOutbox(ctx, "release commands", `update outbox o set leased = false, claimed_until = now()
		from unnest($1::text[], $2::text[]) as n (saga_id, command)
		where o.saga_id = n.saga_id and o.command = n.command`, sagas, commands)
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

// OutboxRows returns the commands of a saga that have not been confirmed to be in their queues, oldest first.
func (s *Store) OutboxRows(ctx context.Context, sagaID string) ([]record.OutboxRow, error) {
	if !storable(sagaID) {
		return nil, nil
	}
	rows, err := s.pool.Query(ctx, `select saga_id || '/' || command, queue, created_at, returned_at, reason, attempts
		from outbox where saga_id = $1 order by created_at, command`, sagaID)
	if err != nil {
		return nil, fmt.Errorf("read the outbox of saga %s: %w", sagaID, err)
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (record.OutboxRow, error) {
		var r record.OutboxRow
		var returnedAt *time.Time
		err := row.Scan(&r.CommandID, &r.Queue, &r.CreatedAt, &returnedAt, &r.Reason, &r.Attempts)
		r.CreatedAt, r.ReturnedAt = r.CreatedAt.UTC(), fromNullable(returnedAt)
		return r, err
	})
	if err != nil {
		return nil, fmt.Errorf("read the outbox of saga %s: %w", sagaID, err)
	}
	return found, nil
}
