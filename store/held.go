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

// insertHeld adds commands without a lease. No claim sees them: only ReleaseHeld ends their waiting.
const insertHeld = `insert into outbox (saga_id, command, queue, created_at, body, held_rank, claimed_until, leased, attempts, reason)
	select unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::timestamptz[]), unnest($5::bytea[]),
		unnest($6::smallint[]), 'infinity', false, 0, ''`

func (s *Store) queueHeld(b *pgx.Batch, commands []wire.Command, statement string) {
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
	b.Queue(statement, sagas, ids, queues, created, bodies, ranked)
}
