package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// adoptStatement holds back commands that no replica publishes: those of a replica that did not know the settings yet,
// those whose publisher died, and those that the broker has refused, after their wait. A command that has a place already
// needs no other.
const adoptStatement = `with due as materialized (
		select o.saga_id, o.ctid as place from outbox o
		where o.queue collate "C" = $1 and o.claimed_until <= now() and o.held_rank is null
		order by o.claimed_until limit $2 for update skip locked
	)
	update outbox o set claimed_until = 'infinity', leased = false,
		attempts = least(coalesce(o.attempts, 0), 1000000) + coalesce(o.leased::integer, 0),
		held_rank = case when o.command like '%/compensate%'
				or exists (select from queue_places p where p.queue = $1 and p.saga_id = o.saga_id and p.command = o.command) then 0
			else 256 - coalesce((select s.priority from sagas s where s.id = o.saga_id), 0) end
	from due d where o.ctid = d.place`

// sagaPaused is true of a command o whose saga an operator has paused. It stays held back until the saga is resumed.
const sagaPaused = `exists (select from sagas s where s.id = o.saga_id and s.status = 'paused' offset 0)`

// orphanLetters are the dead letters of the rows of orphans, and the end of the statement that stores them.
const orphanLetters = `select '` + record.OrphanLetter + `' || saga_id || '/' || command, '` + record.SourceCommand + `', queue, '` + record.ReasonOrphan + `',
			'` + record.OrphanMessage + `', saga_id, saga_id || '/' || command, null, body, 'application/json', clock_timestamp() from orphans
		on conflict do nothing`

// releaseStatement takes what may leave under the lease of this replica: commands of free rank, then others up to $3.
// Commands of sagas that have ended are dropped: they were never sent. Orphans become dead letters.
const releaseStatement = `with free as materialized (
		select o.saga_id, o.command, o.held_rank, o.created_at, coalesce(length(o.body), 0) as bytes, o.ctid as place from outbox o
		where o.queue collate "C" = $1 and o.held_rank = 0 and not ` + sagaPaused + ` and ` + notLacked + `
		order by o.created_at, o.saga_id, o.command limit $2 for update skip locked
	), ranked as materialized (
		select o.saga_id, o.command, o.held_rank, o.created_at, coalesce(length(o.body), 0) as bytes, o.ctid as place from outbox o
		where o.queue collate "C" = $1 and o.held_rank > 0 and not ` + sagaPaused + ` and ` + notLacked + `
		order by o.held_rank, o.created_at, o.saga_id, o.command limit least($2, $3::integer) for update skip locked
	), summed as (
		select c.*, sum(c.bytes) over w as total, row_number() over w as number
		from (select * from free union all select * from ranked) c
		window w as (order by c.held_rank, c.created_at, c.saga_id, c.command)
	), due as materialized (
		select * from summed where number = 1 or number <= $2 and total <= $4::bigint
	), orphans as (
		delete from outbox o using due d
		where o.ctid = d.place and not exists (select from sagas s where s.id = d.saga_id offset 0)
		returning o.saga_id, o.command, o.queue, o.body
	), letters as (
		insert into dead_letters (id, source, queue, reason, message, saga_id, command_id, headers, body, content_type, received_at)
		` + orphanLetters + `
	), ended as (
		delete from outbox o using due d join sagas s on s.id = d.saga_id
		where s.finished_at is not null and o.ctid = d.place
		returning 1
	), taken as (
		update outbox o set held_rank = null, claimed_until = now() + $5::interval, leased = true
		from due d join sagas s on s.id = d.saga_id
		where s.finished_at is null and o.ctid = d.place
		returning o.saga_id, o.command, s.definition, s.version, o.queue, s.priority, s.trace_parent,
			o.created_at, o.body, o.refused_at is not null as refused, o.attempts, d.held_rank
	), placed as (
		insert into queue_places (queue, saga_id, command)
		select $1, t.saga_id, t.command from taken t where $6 and t.held_rank > 0 on conflict do nothing
	)
	select clock_timestamp(), moved.gone, taken.*
	from (select (select count(*) from orphans) + (select count(*) from ended) as gone) moved left join taken on true`

// ReleaseHeld takes over commands that the settings of their queue hold back, as many as the settings allow over all
// replicas: compensations first, then by priority, then by age. It returns nothing while another replica does the same.
// An error beside commands concerns others that cannot be published; each time, these wait longer. They take neither a place nor
// a token from the others.
func (s *Store) ReleaseHeld(ctx context.Context, claim record.HeldClaim) ([]wire.Command, error) {
	if !storable(claim.Queue) || claim.Limit <= 0 {
		return nil, nil
	}
	if claim.Bytes <= 0 {
		claim.Bytes = math.MaxInt
	}
	var faults error
	for range claimRounds {
		taken, gone, err := s.takeHeld(ctx, claim)
		if err != nil {
			return nil, errors.Join(faults, fmt.Errorf("release commands of queue %s: %w", claim.Queue, err))
		}
		whole, broken := s.complete(ctx, taken)
		broken, left, err := s.leaveLacked(ctx, broken)
		faults = errors.Join(faults, err)
		if len(broken) > 0 || gone > 0 || left > 0 {
			faults = errors.Join(faults, s.postpone(ctx, broken), s.clearWay(ctx, claim.Queue, len(broken)+left))
		}
		if len(whole) > 0 || len(broken) == 0 && gone == 0 && left == 0 || ctx.Err() != nil {
			slices.SortFunc(whole, byRelease)
			return whole, faults
		}
	}
	return nil, faults
}

// takeHeld takes what may leave, whether it can be published or not. gone is the number of rows that it has removed instead.
func (s *Store) takeHeld(ctx context.Context, claim record.HeldClaim) (claimed []claimedRow, gone int64, err error) {
	var taken []heldRow
	var known *steps
	err = retried(ctx, func() error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
			taken, gone, err = s.release(ctx, tx, claim, known)
			return err
		})
	})
	if errors.Is(err, errUncounted) { // once after a cap was set
		if known, err = s.executing(ctx, claim.Queue); err == nil {
			err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
				taken, gone, err = s.release(ctx, tx, claim, known)
				return err
			})
		}
	}
	if err == nil {
		err = failpoint.Error("store/released")
	}
	for i := range taken {
		claimed = append(claimed, taken[i].claimedRow)
	}
	return claimed, gone, err
}

// byRelease orders commands that were held back: compensations leave first.
func byRelease(a, b wire.Command) int {
	return cmp.Or(cmp.Compare(a.ID.Direction, b.ID.Direction), byUrgency(a, b))
}

// byUrgency orders commands by priority, then by age.
func byUrgency(a, b wire.Command) int {
	return cmp.Or(cmp.Compare(b.Priority, a.Priority), byAge(a, b))
}

// heldRow is a row of releaseStatement.
type heldRow struct {
	claimedRow
	rank *int16
}

func (r *heldRow) columns() []any { return append(r.claimedRow.columns(), &r.rank) }

// release takes what may leave. known has the steps of the queue if they were asked for.
func (s *Store) release(ctx context.Context, tx pgx.Tx, claim record.HeldClaim, known *steps) (taken []heldRow, gone int64, err error) {
	if _, err := tx.Exec(ctx, heldPlans); err != nil {
		return nil, 0, err
	}
	g, mine, err := readGauge(ctx, tx, claim.Queue)
	if err != nil || !mine {
		return nil, 0, err
	}
	if !g.Free() {
		if _, err := tx.Exec(ctx, adoptStatement, claim.Queue, claim.Limit); err != nil {
			return nil, 0, err
		}
	}
	if g.Paused {
		return nil, 0, nil
	}
	allowed, err := allowance(ctx, tx, claim, g, known)
	if err != nil {
		return nil, 0, err
	}
	rows, err := tx.Query(ctx, releaseStatement, claim.Queue, claim.Limit, allowed, claim.Bytes, s.lease, g.MaxOut > 0, s.lackedMarks())
	if err != nil {
		return nil, 0, err
	}
	spent := 0
	err = readRows(rows, (*heldRow).columns, func(row *heldRow, fault error) {
		s.clock.observe(row.now)
		gone = row.orphans
		if row.sagaID != nil {
			row.fault = fault
			taken = append(taken, *row)
			if row.rank == nil || *row.rank > freeRank {
				spent++
			}
		}
	})
	if err != nil || g.Rate == 0 || spent == 0 {
		return taken, gone, err
	}
	_, err = tx.Exec(ctx, `update queue_settings set tokens = $2, tokens_at = now() where queue = $1`, claim.Queue, g.tokens-float64(spent))
	return taken, gone, err
}

// heldPlans keeps the planner from sorting all the rows of a queue: the index outbox_held has them in their order, however
// little the statistics of the table know of it.
const heldPlans = `select set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)`
