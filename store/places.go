package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/definitions"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// executeID is the id, without the saga and the step, of the execute command that a running step awaits. step is the SQL of
// the step's JSON. Rewinds have numbers in the id.
func executeID(step string) string {
	return `'execute' || case when ` + step + ` ->> 'rewinds' ~ '^[1-9][0-9]{0,8}$' then '-' || ((` + step + ` ->> 'rewinds')::integer + 1)
		else '' end || '/' || coalesce(` + step + ` ->> 'a', '1')`
}

// compensateID is the same for the command of a compensation that a step awaits.
func compensateID(step string) string {
	return `'compensate' || case when ` + step + ` ->> 'r' ~ '^([2-9]|[1-9][0-9]{1,8})$' then '-' || (` + step + ` ->> 'r') else '' end
		|| '/' || coalesce(` + step + ` ->> 'c', '1')`
}

// countPlacesStatement deletes the places of commands that are no longer out, and counts the others. A saga knows which
// attempt it awaits. A command that is back in the outbox, because the broker refused it, is not out either. Nor is that of a
// saga whose row has the definition of another, because nothing would ever take its place away, or that of another queue. When
// its timeout is over for a minute, its saga would have sent another one, if it could be decided on.
func countPlacesStatement() string {
	return `with named as materialized (
		select d.name, d.version, ` + ofSteps("step.state ->> 'name'") + ` as steps, ` + ofSteps("step.state ->> 'timeout'") + ` as timeouts,
			` + ofSteps("coalesce(nullif(step.state ->> 'queue', ''), split_part(step.state ->> 'command', '.', 1))") + ` as queues
		from (select distinct s.definition, s.version from queue_places p join sagas s on s.id = p.saga_id where p.queue = $1) u
		join definitions d on d.name = u.definition and d.version = u.version
	), gone as (
		delete from queue_places p where p.queue = $1 and (
			not exists (select from sagas s join named n on n.name = s.definition and n.version = s.version
				cross join lateral (
					select case when ` + sound("s.progress") + ` then
						s.progress -> 's' -> (array_position(` + searchableSteps + `, split_part(p.command, '/', 1)) - 1) end as step) own
				cross join lateral (select array_position(n.steps, split_part(p.command, '/', 1)) as i) at
				where s.id = p.saga_id and s.finished_at is null and s.status <> 'scheduled' and own.step ->> 's' = 'running'
					and ` + inTime("s.created_at", "own.step ->> 'd'", "n.timeouts[at.i]") + `
					and s.step_names = coalesce(n.steps, s.step_names)
					and coalesce(n.queues[at.i] = $1, true)
					and p.command = split_part(p.command, '/', 1) || '/' || ` + executeID("own.step") + `)
			or exists (select from outbox o
				where o.saga_id = p.saga_id and o.command = p.command and not o.leased and o.held_rank is null))
		returning 1
	)
	select (select count(*) from queue_places where queue = $1) - (select count(*) from gone)`
}

// storedSteps is the SQL of the steps in the body of a definition, in either form of saga.Definition.StoredJSON.
const storedSteps = `coalesce(d.body -> 'definition' -> 'steps', d.body -> 'steps')`

// inTime is an SQL condition: a time, in microseconds after another one, may be the end of an attempt that is out. It is not
// over for a minute, and not farther ahead than the timeout, if that can be read. Five minutes more allow for a clock that was
// set back.
func inTime(from, after, timeout string) string {
	return `case when ` + from + usable + ` and ` + after + ` ~ '^[0-9]{1,16}$' then
			` + from + ` + (` + after + `)::bigint * interval '1 microsecond' between now() - interval '1 minute'
				and case when ` + timeout + ` ~ '^(\d{1,5}h)?(\d{1,2}m)?\d{1,3}(\.\d{1,9})?m?s$'
					then now() + (` + timeout + `)::interval + interval '5 minutes' else 'infinity' end
		else false end`
}

// ofSteps is the SQL of an array with an expression for each step of definition d; null if the body cannot be read.
func ofSteps(expression string) string {
	return `case when not ` + readableSize("d.body", saga.MaxStoredBytes) + ` then null when not ` + sound("d.body") + ` then null when json_typeof(` + storedSteps + `) = 'array' then array(select ` + expression + `
			from json_array_elements(` + storedSteps + `) with ordinality as step (state, position) order by step.position) end`
}

// countPlaces returns how many execute commands of a capped queue are out.
func countPlaces(ctx context.Context, tx pgx.Tx, queue string) (out int, err error) {
	err = tx.QueryRow(ctx, countPlacesStatement(), queue).Scan(&out)
	return out, err
}

// answers is true of a dead letter d whose command a saga may still await, but that is not out any more. A worker may still be busy
// with one that reached its delivery limit. The index dead_letters_answers has them.
const answers = `(d.reason = '` + record.ReasonUnreadableSaga + `' or d.source in ('` + record.SourceCommand + `', 'commands'))
	and d.reason <> 'delivery_limit'`

// freeAnswered deletes places, unless countPlaces is deleting them.
const freeAnswered = `with found as materialized (
		select o.place from queue_settings q cross join unnest($1::text[], $2::text[]) as n (saga_id, command) cross join lateral (
			select p.ctid as place from queue_places p where p.queue = q.queue and p.saga_id = n.saga_id and p.command = n.command
			for update skip locked offset 0) o
		where q.max_out is not null
	)
	delete from queue_places p using found f where p.ctid = f.place`

// queueAnswered frees the places of commands that are not out any more although their sagas say so.
func queueAnswered(b *pgx.Batch, commands []saga.CommandID) {
	if len(commands) > 0 {
		sagas, local := localColumns(commands)
		b.Queue(freeAnswered, sagas, local)
	}
}

// localColumns returns commands as columns: their sagas, and their ids without these.
func localColumns(commands []saga.CommandID) (sagas, local []string) {
	for _, id := range commands {
		if storable(id.Saga, id.String()) {
			sagas, local = append(sagas, id.Saga), append(local, localID(id))
		}
	}
	return sagas, local
}

// SagasOut returns the first sagas of the scope whose commands take places in a capped queue, oldest first, up to record.MaxSagasOut.
func (s *Store) SagasOut(ctx context.Context, queue string, scope record.Scope) (ids []string, err error) {
	if !storable(queue) {
		return nil, nil
	}
	err = s.look(ctx, func(ctx context.Context, q queryer) error {
		rows, err := q.Query(ctx, `select distinct p.saga_id from queue_places p join sagas s on s.id = p.saga_id
			where p.queue = $1 and s.finished_at is null and ($2::text[] is null or s.definition = any($2))
			order by p.saga_id limit $3`, queue, []string(scope), record.MaxSagasOut)
		if err != nil {
			return err
		}
		ids, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read whose commands are out of queue %s: %w", queue, err)
	}
	return ids, nil
}

// recountStatement gives places to the commands that are out: those of running steps that have left the outbox, or that
// a replica is publishing, without those that were answered in vain.
func recountStatement() string {
	return `with waited as materialized (
		select s.id, s.step_names[step.position] || '/' || ` + executeID("step.state") + ` as command
		from sagas s cross join lateral json_array_elements(` + progressSteps() + `) with ordinality as step (state, position)
		where s.finished_at is null and s.definition = any($2::text[]) and s.status <> 'scheduled'
			and case when json_typeof(step.state) = 'object' then step.state ->> 's' = 'running' end
			and exists (select from unnest($2::text[], $3::integer[], $4::text[], $6::text[]) as n (definition, version, step, steps)
				where n.definition = s.definition and n.version = s.version and n.step = s.step_names[step.position]
					and n.steps = array_to_string(s.step_names, '/'))
	), added as (
		insert into queue_places (queue, saga_id, command)
		select $1, w.id, w.command from waited w
		where not exists (select from outbox o where o.saga_id = w.id and o.command = w.command and not o.leased)
			and not exists (select from queue_places p where p.queue = $1 and p.saga_id = w.id and p.command = w.command)
			and not exists (select from dead_letters d where d.saga_id = w.id and d.command_id = w.id || '/' || w.command and ` + answers + `)
		limit $5
		on conflict do nothing returning 1
	)
	select (select count(*) from queue_places where queue = $1) + (select count(*) from added), (select count(*) from added)`
}

// errUncounted means that the steps of the queue are needed, to count the commands that were out before the cap.
var errUncounted = errors.New("the commands out are not counted")

// steps are the steps whose execute commands go to one queue, one array per column.
type steps struct {
	names    []string // of definitions
	versions []int32
	steps    []string
	all      []string // the names of all steps of the definition, joined by slashes
}

// recount counts the commands that were out before the cap, and returns how many are out now. It adds at most one more
// than the cap at a time: as many as that let nothing leave, and then it counts again.
func recount(ctx context.Context, tx pgx.Tx, queue string, known *steps, maxOut int) (out int, err error) {
	added, limit := 0, maxOut+1
	err = tx.QueryRow(ctx, recountStatement(), queue, known.names, known.versions, known.steps, limit, known.all).Scan(&out, &added)
	if err != nil {
		return 0, err
	}
	if added < limit {
		_, err = tx.Exec(ctx, `update queue_settings set counted_at = now() where queue = $1`, queue)
	}
	return out, err
}

// progressSteps returns the SQL of the steps in the progress of table s: an array, empty for a progress of another form.
func progressSteps() string {
	return `case when not ` + sound("s.progress") + ` then '[]'::json when json_typeof(s.progress -> 's') = 'array' then s.progress -> 's' else '[]' end`
}

// executing returns the steps whose execute commands go to the queue.
func (s *Store) executing(ctx context.Context, queue string) (*steps, error) {
	rows, err := s.pool.Query(ctx, `select name, version from definitions where $1 = any(queues)`, queue)
	if err != nil {
		return nil, err
	}
	keys, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (key definitionKey, err error) {
		return key, row.Scan(&key.name, &key.version)
	})
	if err != nil {
		return nil, err
	}
	found := &steps{names: []string{}, versions: []int32{}, steps: []string{}, all: []string{}}
	memo := definitions.NewMemo(s.Definition)
	for _, key := range keys {
		d, err := memo.Get(ctx, key.name, key.version)
		if errors.Is(err, record.ErrUnreadable) || errors.Is(err, record.ErrDefinitionNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		all := strings.Join(namesOf(d), "/")
		for i := range d.Steps {
			if _, to, _, known := d.CommandFor(d.Steps[i].Name, saga.Execute); known && to == queue {
				found.names, found.versions = append(found.names, key.name), append(found.versions, int32(key.version)) //nolint:gosec // stored as such
				found.steps, found.all = append(found.steps, d.Steps[i].Name), append(found.all, all)
			}
		}
	}
	return found, nil
}

// namesOf returns the names of the definition's steps.
func namesOf(d *saga.Definition) []string {
	names := make([]string, len(d.Steps))
	for i := range d.Steps {
		names[i] = d.Steps[i].Name
	}
	return names
}
