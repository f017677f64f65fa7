package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/definitions"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// commandsOut counts the outstanding commands of one step and direction, and has the earliest of their deadlines.
type commandsOut struct {
	definition    string
	version       int
	steps         []string // of the saga
	position      int      // of the step, from 1 on
	status        saga.StepStatus
	count         int64
	firstDeadline time.Time // zero: none can be shown
}

func (c *commandsOut) columns() []any {
	return []any{&c.definition, &c.version, &c.steps, &c.position, (*string)(&c.status), &c.count, timeInto{&c.firstDeadline}}
}

// commandsOutStatement avoids the view saga_steps, which computes more than needed: with a million sagas it would take
// longer than the caller waits. A scheduled saga has no outstanding commands.
func commandsOutStatement() string {
	return withNotOut + `select s.definition, s.version, s.step_names, step.position, step.s, count(*),
		min(s.created_at + trunc(step.d) * interval '1 microsecond') filter (where s.created_at` + usable + `)
	from sagas s left join not_out a on a.saga_id = s.id,
		rows from (json_to_recordset(s.progress -> 's') as (s text, w text, d double precision)) with ordinality as step (s, w, d, position)
	where s.finished_at is null and s.status <> 'scheduled'
		and (step.s = 'running' or step.s = 'compensating' and step.w is null)
		and ` + isOut("s.progress -> 's' -> (step.position - 1)::integer") + `
	group by 1, 2, 3, 4, 5`
}

// withNotOut has commands that their sagas await and that are not out, by saga: those that were answered in vain, and those that are held
// back. The latter are not subtracted from what the sagas await, because the saga of a held command may be unreadable, and await nothing.
const withNotOut = `with not_out as materialized (
		select c.saga_id, array_agg(c.command) as commands from (
			select d.saga_id, d.command_id as command from dead_letters d where ` + answers + `
			union all select o.saga_id, o.saga_id || '/' || o.command from outbox o where o.held_rank is not null) c group by 1
	) `

// isOut is an SQL condition: the command of the step is not among those of not_out a. step is the SQL of the step's JSON.
func isOut(step string) string {
	return `case when a.saga_id is null then true else s.id || '/' || s.step_names[step.position] || '/' || case
			when ` + step + ` ->> 's' = 'running' then ` + executeID(step) + `
			else ` + compensateID(step) + ` end <> all(a.commands) end`
}

// lenientCommandsOut skips values that this program does not write. It is slower, so it runs only after the first
// statement failed because of a row.
func lenientCommandsOut() string {
	return withNotOut + `select s.definition, s.version, s.step_names, step.position, step.state ->> 's', count(*),
		min(case when s.created_at` + usable + ` and json_typeof(step.state -> 'd') = 'number'
				and abs((step.state ->> 'd')::numeric) < 1e16
			then s.created_at + trunc((step.state ->> 'd')::numeric)::bigint * interval '1 microsecond' end)
	from sagas s left join not_out a on a.saga_id = s.id
		cross join lateral json_array_elements(` + progressSteps() + `) with ordinality as step (state, position)
	where s.finished_at is null and s.status <> 'scheduled'
		and case when json_typeof(step.state) = 'object' then (step.state ->> 's' = 'running'
			or step.state ->> 's' = 'compensating' and step.state ->> 'w' is null) and ` + isOut("step.state") + ` end
	group by 1, 2, 3, 4, 5`
}

// QueueLoads returns the outstanding commands of each worker queue, by name. Idle queues are left out; Queues lists
// all. Unreadable rows are not counted.
func (s *Store) QueueLoads(ctx context.Context) ([]record.QueueLoad, error) {
	out, loads, err := s.countQueues(ctx, commandsOutStatement())
	if isDataFault(err) {
		out, loads, err = s.countQueues(ctx, lenientCommandsOut())
	}
	if err == nil {
		err = s.addOut(ctx, loads, out)
	}
	if err != nil {
		return nil, fmt.Errorf("read the load of the queues: %w", err)
	}
	sorted := make([]record.QueueLoad, 0, len(loads))
	for _, load := range loads {
		sorted = append(sorted, *load)
	}
	slices.SortFunc(sorted, func(a, b record.QueueLoad) int { return strings.Compare(a.Queue, b.Queue) })
	return sorted, nil
}

// countQueues counts the outstanding commands and, by queue, those in the outbox.
func (s *Store) countQueues(ctx context.Context, statement string) (out []commandsOut, loads map[string]*record.QueueLoad, err error) {
	loads = make(map[string]*record.QueueLoad)
	err = s.survey(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, statement)
		if err != nil {
			return err
		}
		err = readRows(rows, (*commandsOut).columns, func(c *commandsOut, fault error) {
			if fault == nil {
				out = append(out, *c)
			}
		})
		if err != nil {
			return err
		}
		if rows, err = tx.Query(ctx, `select coalesce(queue, ''), count(*) - count(held_rank), count(held_rank) from outbox group by 1`); err != nil {
			return err
		}
		var load record.QueueLoad
		_, err = pgx.ForEachRow(rows, []any{&load.Queue, &load.Unpublished, &load.HeldBack}, func() error {
			if counted := load; load.Queue != wire.BetweenSagas {
				loads[load.Queue] = &counted
			}
			return nil
		})
		return err
	})
	return out, loads, err
}

// addOut looks up in the definitions each step's queue and timeout.
func (s *Store) addOut(ctx context.Context, loads map[string]*record.QueueLoad, out []commandsOut) error {
	memo := definitions.NewMemo(s.Definition)
	for _, c := range out {
		d, err := memo.Get(ctx, c.definition, c.version)
		if errors.Is(err, record.ErrUnreadable) || errors.Is(err, record.ErrDefinitionNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if !slices.Equal(namesOf(d), c.steps) || c.position > len(c.steps) {
			continue // unreadable
		}
		direction := saga.Execute
		if c.status == saga.StepCompensating {
			direction = saga.Compensate
		}
		_, queue, timeout, known := d.CommandFor(c.steps[c.position-1], direction)
		if !known || queue == "" { // the step waits, and has no command out
			continue
		}
		if loads[queue] == nil {
			loads[queue] = &record.QueueLoad{Queue: queue}
		}
		load := loads[queue]
		load.CommandsOut += c.count
		dispatched := c.firstDeadline.Add(-timeout)
		if !c.firstDeadline.IsZero() && shown(dispatched) && (load.Oldest.IsZero() || dispatched.Before(load.Oldest)) {
			load.Oldest = dispatched
		}
	}
	return nil
}
