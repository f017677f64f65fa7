package store

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/internal/definitions"
	"github.com/saga-orchestrator/orchestrator/internal/failpoint"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/seal"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

const (
	// claimRounds bounds the rounds of one claim whose rows all turn out to be orphaned or broken.
	claimRounds = 100
	// leastShare is the least number of commands that a claim reads from one queue, however many queues there are.
	leastShare = 16

	firstBrokenWait = 2 * time.Second
	maxBrokenWait   = time.Hour
	maxFault        = 1000 // bytes of the fault that a broken row shows
)

// claimStatement visits each queue and reads its commands in the order of their waiting time, skipping excepted queues.
// It takes the first command of each queue, then the second, and so on up to the limits. Orphans, whose saga is gone,
// become dead letters.
const claimStatement = `with recursive queues as (
		(select o.queue collate "C" as queue from outbox o where $4::text is null or o.queue collate "C" = $4
			order by o.queue collate "C" limit 1)
		union all
		select (select o.queue collate "C" from outbox o where o.queue collate "C" > q.queue order by o.queue collate "C" limit 1)
		from queues q where q.queue is not null and $4::text is null
	), wanted as materialized (
		select queue from queues where queue is not null and queue <> all($3::text[])
	), candidates as materialized (
		select c.*, row_number() over (partition by c.queue order by c.claimed_until, c.saga_id, c.command) as position
		from wanted w cross join lateral (
			select o.saga_id, o.command, w.queue, o.claimed_until, coalesce(length(o.body), 0) as bytes
			from outbox o where o.queue collate "C" = w.queue and o.claimed_until <= now() and ` + notLacked + `
			order by o.claimed_until
			limit least($1::integer, greatest($6::integer, 4 * $1::integer / greatest((select count(*) from wanted), 1)))) c
	), ranked as materialized (
		select c.*, row_number() over w as number, sum(c.bytes) over w as total
		from candidates c window w as (order by c.position, c.claimed_until, c.saga_id, c.command)
	), due as materialized (
		select c.saga_id, c.command, r.bytes, c.place
		from ranked r cross join lateral (
			select o.saga_id, o.command, o.ctid as place from outbox o
			where o.saga_id = r.saga_id and o.command = r.command and o.claimed_until <= now() for update skip locked offset 0) c
		where r.number = 1 or r.number <= $1::integer and r.total <= $2::bigint
	), orphans as (
		delete from outbox o using due d
		where o.ctid = d.place and not exists (select from sagas s where s.id = d.saga_id offset 0)
		returning o.saga_id, o.command, o.queue, o.body
	), letters as (
		insert into dead_letters (id, source, queue, reason, message, saga_id, command_id, headers, body, content_type, received_at)
		` + orphanLetters + `
	), taken as (
		update outbox o set claimed_until = now() + $5::interval, leased = true,
			attempts = least(coalesce(o.attempts, 0), 1000000) + coalesce(o.leased::integer, 0)
		from due d join sagas s on s.id = d.saga_id where o.ctid = d.place
		returning o.saga_id, o.command, s.definition, s.version, o.queue, s.priority, s.trace_parent,
			o.created_at, o.body, o.refused_at is not null as refused, o.attempts
	)
	select clock_timestamp(), moved.orphans, taken.*
	from (select count(*) as orphans from orphans) moved left join taken on true`

// ClaimOutbox takes over commands that no replica is publishing: their lease has expired, or the wait after a refusal
// is over. It claims from all queues in turn, so that no queue holds back the others; within a queue, the
// longest-waiting commands come first. It returns them by priority, then by age. An error beside commands concerns other commands
// that cannot be published; each time, these wait longer.
func (s *Store) ClaimOutbox(ctx context.Context, claim record.OutboxClaim) ([]wire.Command, error) {
	var faults error
	for range claimRounds {
		claimed, found, err := s.claim(ctx, claim)
		if err != nil {
			return nil, errors.Join(faults, fmt.Errorf("claim commands of the outbox: %w", err))
		}
		whole, broken := s.complete(ctx, claimed)
		broken, _, lacking := s.leaveLacked(ctx, broken)
		faults = errors.Join(faults, lacking, s.postpone(ctx, broken))
		if len(whole) > 0 || found == 0 || ctx.Err() != nil {
			slices.SortFunc(whole, byUrgency)
			return whole, faults
		}
	}
	return nil, faults
}

func byAge(a, b wire.Command) int {
	if order := a.CreatedAt.Compare(b.CreatedAt); order != 0 {
		return order
	}
	return strings.Compare(a.ID.String(), b.ID.String())
}

// claim takes over one round of commands. found is 0 if no claimable row is left.
func (s *Store) claim(ctx context.Context, claim record.OutboxClaim) (claimed []claimedRow, found int, err error) {
	bytes, except := claim.Bytes, slices.DeleteFunc(slices.Clone(claim.Except), func(q string) bool { return !storable(q) })
	if bytes <= 0 {
		bytes = math.MaxInt
	}
	if except == nil {
		except = []string{}
	}
	var only *string
	if claim.Only != "" {
		only = &claim.Only
	}
	rows, err := s.pool.Query(ctx, claimStatement, claim.Limit, bytes, except, only, s.lease, leastShare, s.lackedMarks())
	if err != nil {
		return nil, 0, err
	}
	err = readRows(rows, (*claimedRow).columns, func(row *claimedRow, fault error) {
		s.clock.observe(row.now)
		found = int(row.orphans)
		if row.sagaID != nil { // without commands there is one row of nulls
			row.fault = fault
			claimed = append(claimed, *row)
		}
	})
	if err != nil {
		return nil, 0, err
	}
	return claimed, len(claimed) + found, failpoint.Error("store/claimed")
}

// claimedRow is a row of claimStatement.
type claimedRow struct {
	now             time.Time
	orphans         int64
	sagaID, localID *string
	command         wire.Command
	attempts        int
	fault           error
	passing         bool // the fault is temporary and the database's own
}

func (r *claimedRow) columns() []any {
	c := &r.command
	return []any{
		&r.now, &r.orphans, &r.sagaID, &r.localID, &c.Definition, &c.Version, &c.Queue, &c.Priority, &c.TraceParent,
		&c.CreatedAt, &c.Body, &c.Suspect, &r.attempts,
	}
}

// complete adds what the definitions know of commands. It returns the broken ones separately, each with its fault.
func (s *Store) complete(ctx context.Context, claimed []claimedRow) (whole []wire.Command, broken []claimedRow) {
	memo := definitions.NewMemo(s.Definition)
	for _, row := range claimed {
		if row.fault == nil {
			row.fault = row.complete(ctx, s.keys, memo)
		}
		if row.fault != nil {
			broken = append(broken, row)
			continue
		}
		whole = append(whole, row.command)
	}
	return whole, broken
}

func (r *claimedRow) complete(ctx context.Context, keys *seal.Keys, memo *definitions.Cache) (err error) {
	c := &r.command
	if c.ID, err = saga.ParseCommandID(*r.sagaID + "/" + *r.localID); err != nil {
		return err
	}
	if c.CreatedAt = c.CreatedAt.UTC(); !shown(c.CreatedAt) {
		return errOutOfRange
	}
	if c.Body == nil {
		err = errors.New("it has no body")
	} else {
		c.Body, err = keys.OpenBytes(*r.sagaID, sealedCommand+*r.localID, c.Body)
	}
	if c.Queue == wire.BetweenSagas {
		return nil // what a child tells is in its row as well
	}
	if err != nil {
		return err
	}
	d, err := memo.Get(ctx, c.Definition, c.Version)
	if err != nil {
		r.passing = !errors.Is(err, record.ErrUnreadable) && !errors.Is(err, record.ErrDefinitionNotFound)
		return err
	}
	var known bool
	if c.Name, _, c.Timeout, known = d.CommandFor(c.ID.Step, c.ID.Direction); !known {
		return fmt.Errorf("definition %s version %d has no step %s", c.Definition, c.Version, c.ID.Step)
	}
	return nil
}

// postponeStatement finds each row by its key: one saga may have thousands of them.
const postponeStatement = `with broken as materialized (
		select o.place, n.wait, n.fault, s.finished_at is not null as ended
		from unnest($1::text[], $2::text[], $3::interval[], $4::text[]) as n (saga_id, command, wait, fault) join sagas s on s.id = n.saga_id
		cross join lateral (select o.ctid as place from outbox o where o.saga_id = n.saga_id and o.command = n.command for update offset 0) o
	), dropped as (
		delete from outbox o using broken n where n.ended and o.ctid = n.place
	)
	update outbox o
	set leased = false, held_rank = null, claimed_until = now() + n.wait, attempts = least(coalesce(o.attempts, 0), 1000000) + 1,
		refused_at = null, reason = n.fault
	from broken n where not n.ended and o.ctid = n.place`

// postpone makes broken rows wait longer each time, so that they do not block the others, and returns their faults.
// Rows of sagas that have ended are dropped. A row keeps its lease if its definition could not be read for now.
func (s *Store) postpone(ctx context.Context, broken []claimedRow) (faults error) {
	for _, row := range broken {
		faults = errors.Join(faults, fmt.Errorf("publish command %s/%s: %w", *row.sagaID, *row.localID, row.fault))
	}
	return errors.Join(faults, s.delay(ctx, broken, firstBrokenWait))
}

// delay is postpone without the faults. The first wait is at least as long as asked for.
func (s *Store) delay(ctx context.Context, broken []claimedRow, first time.Duration) error {
	var sagas, commands, faults []string
	var waits []time.Duration
	for _, row := range broken {
		if ctx.Err() == nil && !row.passing {
			text := row.fault.Error()
			sagas, commands = append(sagas, *row.sagaID), append(commands, *row.localID)
			faults = append(faults, cleaned(text[:min(len(text), maxFault)]))
			waits = append(waits, min(max(first, firstBrokenWait<<min(max(row.attempts, 0), 20)), maxBrokenWait))
		}
	}
	if len(sagas) == 0 {
		return nil
	}
	return s.changeOutbox(ctx, "postpone commands that cannot be published", postponeStatement, sagas, commands, waits, faults)
}
