package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/record"
)

// commandsOut is how many commands of one step, in one direction, are out, and when the first of them will time out.
type commandsOut struct {
	definition    string
	version       int
	step          string
	status        saga.StepStatus
	count         int64
	firstDeadline *time.Time
}

// QueueLoads returns what is out to each worker queue, by name. A queue with nothing out and nothing to come is left
// out; Queues lists all.
func (s *Store) QueueLoads(ctx context.Context) ([]record.QueueLoad, error) {
	loads := make(map[string]*record.QueueLoad)
	var out []commandsOut
	b := &pgx.Batch{}
	// Not by the view saga_steps, which makes more of each step than is asked for here: with a million sagas that would take
	// longer than whoever asks waits. What is scheduled has no command out.
	b.Queue(`select s.definition, s.version, s.step_names[step.position], step.s, count(*),
			min(s.created_at + trunc(step.d) * interval '1 microsecond')
		from sagas s, rows from (json_to_recordset(s.progress -> 's') as (s text, w text, d double precision))
			with ordinality as step (s, w, d, position)
		where s.finished_at is null and s.status <> 'scheduled'
			and (step.s = 'running' or step.s = 'compensating' and step.w is null)
		group by 1, 2, 3, 4`).Query(func(rows pgx.Rows) error {
		var c commandsOut
		_, err := pgx.ForEachRow(rows, []any{&c.definition, &c.version, &c.step, &c.status, &c.count, &c.firstDeadline},
			func() error { out = append(out, c); return nil })
		return err
	})
	b.Queue(`select queue, count(*) from outbox group by queue`).Query(func(rows pgx.Rows) error {
		var queue string
		var count int64
		_, err := pgx.ForEachRow(rows, []any{&queue, &count}, func() error {
			loads[queue] = &record.QueueLoad{Queue: queue, Unpublished: count}
			return nil
		})
		return err
	})
	if err := s.survey(ctx, func(tx pgx.Tx) error { return tx.SendBatch(ctx, b).Close() }); err != nil {
		return nil, fmt.Errorf("read the load of the queues: %w", err)
	}
	if err := s.addOut(ctx, loads, out); err != nil {
		return nil, fmt.Errorf("read the load of the queues: %w", err)
	}
	sorted := make([]record.QueueLoad, 0, len(loads))
	for _, load := range loads {
		sorted = append(sorted, *load)
	}
	slices.SortFunc(sorted, func(a, b record.QueueLoad) int { return strings.Compare(a.Queue, b.Queue) })
	return sorted, nil
}

// addOut asks the definitions which queue each step has, and how long before its deadline a command was dispatched.
func (s *Store) addOut(ctx context.Context, loads map[string]*record.QueueLoad, out []commandsOut) error {
	plans := newPlans(s)
	for _, c := range out {
		d, err := plans.get(ctx, c.definition, c.version)
		if err != nil {
			return err
		}
		direction := saga.Execute
		if c.status == saga.StepCompensating {
			direction = saga.Compensate
		}
		_, queue, timeout, known := d.Order(c.step, direction)
		if !known {
			return fmt.Errorf("definition %s version %d has no step %s", c.definition, c.version, c.step)
		}
		if loads[queue] == nil {
			loads[queue] = &record.QueueLoad{Queue: queue}
		}
		load := loads[queue]
		load.CommandsOut += c.count
		if c.firstDeadline == nil {
			continue
		}
		if dispatched := c.firstDeadline.UTC().Add(-timeout); load.Oldest.IsZero() || dispatched.Before(load.Oldest) {
			load.Oldest = dispatched
		}
	}
	return nil
}
