package store

import (
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// The ranks of commands that are held back. Lower ones leave first. Commands of free rank need neither a place nor a
// token: they wait for the end of a pause only. The ranks of the others are ranks less their priority.
const (
	freeRank = 0
	ranks    = 256
)

func rankOf(c *wire.Command) int16 {
	if c.ID.Direction == saga.Compensate {
		return freeRank
	}
	return ranks - int16(c.Priority)
}

// splitHeld separates the commands that are held back.
func splitHeld(commands []wire.Command) (held, others []wire.Command) {
	for i := range commands {
		if commands[i].Held {
			held = append(held, commands[i])
		}
	}
	if held == nil {
		return nil, commands
	}
	for i := range commands {
		if !commands[i].Held {
			others = append(others, commands[i])
		}
	}
	return held, others
}

// neverSent is true of an outbox row o that is held back and was never sent: no replica has ever had it in memory.
const neverSent = `(o.held_rank is not null and coalesce(o.attempts, 0) = 0 and o.refused_at is null)`

// withdrawCommands deletes commands that must never be sent. It waits for a release that is taking one of them, and then
// fails.
const withdrawCommands = `with gone as (
		delete from outbox o
		where o.saga_id = any($1::text[]) and o.saga_id || '/' || o.command = any($2::text[]) and ` + neverSent + ` returning 1)
	select require_rows($3, count(*), 'withdraw commands that were never sent') from gone`

func queueWithdrawn(b *pgx.Batch, commands []saga.CommandID) {
	if len(commands) > 0 {
		sagas, ids := commandColumns(commands)
		b.Queue(withdrawCommands, sagas, ids, len(ids))
	}
}

// insertHeld adds commands without a lease, sent this often before. No claim sees them: only ReleaseHeld ends their waiting.
const insertHeld = `insert into outbox (saga_id, command, queue, created_at, body, held_rank, claimed_until, leased, attempts, reason)
	select unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::timestamptz[]), unnest($5::bytea[]),
		unnest($6::smallint[]), 'infinity', false, $7::integer, ''`

func (s *Store) queueHeld(b *pgx.Batch, commands []wire.Command, sent int, statement string) {
	n := len(commands)
	if n == 0 {
		return
	}
	sagas, ids, queues := make([]string, n), make([]string, n), make([]string, n)
	created, bodies, ranked := make([]time.Time, n), make([][]byte, n), make([]int16, n)
	for i := range commands {
		c := &commands[i]
		sagas[i], ids[i], queues[i], created[i], bodies[i], ranked[i] = c.ID.Saga, localID(c.ID), c.Queue, c.CreatedAt, s.sealedBody(c), rankOf(c)
	}
	b.Queue(statement, sagas, ids, queues, created, bodies, ranked, sent)
}
