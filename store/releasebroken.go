package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

const (
	// heldPage is the number of held commands that one look for broken ones reads.
	heldPage = 1000

	// manyBrokenWait is the least wait of broken commands that come in numbers.
	manyBrokenWait = time.Minute

	// heldFront reads the commands that leave next, but for their bodies. Their columns are those of claimedRow.
	heldFront = `select clock_timestamp(), 0, o.saga_id, o.command, s.definition, s.version, o.queue, s.priority, s.trace_parent,
			o.created_at, case when o.body is not null then ''::bytea end, o.refused_at is not null, coalesce(o.attempts, 0)
		from outbox o join sagas s on s.id = o.saga_id
		where o.queue collate "C" = $1 and o.held_rank >= 0
		order by o.held_rank, o.created_at, o.saga_id, o.command limit $2`

	// moveOrphans makes dead letters of commands among the next ones whose saga does not exist.
	moveOrphans = `with front as materialized (
			select o.saga_id, o.ctid as place from outbox o where o.queue collate "C" = $1 and o.held_rank >= 0
			order by o.held_rank, o.created_at, o.saga_id, o.command limit $2 for update skip locked
		), orphans as (
			delete from outbox o using front f where o.ctid = f.place and not exists (select from sagas s where s.id = f.saga_id offset 0)
			returning o.saga_id, o.command, o.queue, o.body
		)
		insert into dead_letters (id, source, queue, reason, message, saga_id, command_id, headers, body, content_type, received_at)
		` + orphanLetters

	giveBack = `update queue_settings set tokens = ` + usableTokens + ` + $2 where queue = $1 and rate is not null`
)

// clearWay removes the other orphans and postpones the other broken commands that would leave next, because release takes few at a time. It gives back the
// tokens that some had taken. Its error counts those that it postponed.
func (s *Store) clearWay(ctx context.Context, queue string, tokens int) error {
	if _, err := s.pool.Exec(ctx, giveBack, queue, tokens); err != nil {
		return fmt.Errorf("give back tokens of queue %s: %w", queue, err)
	}
	for range claimRounds {
		done, err := s.pool.Exec(ctx, moveOrphans, queue, heldPage)
		if err != nil {
			return fmt.Errorf("remove orphans of queue %s: %w", queue, err)
		}
		if done.RowsAffected() == 0 || ctx.Err() != nil {
			break
		}
	}
	postponed, example := 0, error(nil)
	for range claimRounds {
		rows, err := s.pool.Query(ctx, heldFront, queue, heldPage)
		if err != nil {
			return fmt.Errorf("read held commands of queue %s: %w", queue, err)
		}
		var page []claimedRow
		err = readRows(rows, (*claimedRow).columns, func(row *claimedRow, fault error) {
			row.fault = fault
			page = append(page, *row)
		})
		if err != nil {
			return fmt.Errorf("read held commands of queue %s: %w", queue, err)
		}
		_, broken := s.complete(ctx, page)
		least := firstBrokenWait
		if len(broken) > heldPage/10 {
			least = manyBrokenWait
		}
		if err := s.delay(ctx, broken, least); err != nil {
			return err
		}
		if postponed += len(broken); len(broken) > 0 {
			example = broken[0].fault
		}
		if len(broken) < heldPage || ctx.Err() != nil || slices.ContainsFunc(broken, func(r claimedRow) bool { return r.passing }) {
			break
		}
	}
	if postponed == 0 {
		return nil
	}
	return fmt.Errorf("%d more held commands of queue %s cannot be published, such as one with the fault: %w", postponed, queue, example)
}
