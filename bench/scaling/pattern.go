package scaling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/client"
)

// finished is the world whose seeds are sagas that have completed, within the last 30 days.
func (r *run) finished(ctx context.Context) (*world, error) {
	return r.patterned(ctx, "finished", func(w *world) error {
		var pattern string
		err := w.served(ctx, func(s *serving) error {
			if _, err := s.bench(ctx, "--in-flight", "1", "--warmup", "0s", "--duration", "200ms"); err != nil {
				return err
			}
			return w.db.QueryRow(ctx, `SELECT id FROM sagas ORDER BY id LIMIT 1`).Scan(&pattern)
		})
		if err != nil {
			return err
		}
		return w.newSeeds(ctx, []string{pattern}, 30*24*time.Hour, slices.Max(r.Plan.Finished))
	})
}

// waiting is the world whose seeds are sagas that wait: a third for its start next year, a third for its start within the
// next hours, and a third for an answer whose time is up within the next days.
func (r *run) waiting(ctx context.Context) (*world, error) {
	return r.patterned(ctx, "waiting", func(w *world) error {
		var patterns []string
		err := w.served(ctx, func(s *serving) (err error) {
			patterns, err = s.startWaiting(ctx)
			return err
		}, "--overdue-after=-1s") // or each would ask for attention before its time is up
		if err != nil {
			return err
		}
		return w.newSeeds(ctx, patterns, 10*time.Hour, slices.Max(r.Plan.Waiting))
	})
}

// patterned makes a world with its patterns, once in a run.
func (r *run) patterned(ctx context.Context, name string, prepare func(*world) error) (*world, error) {
	if w, there := r.seeded[name]; there {
		return w, nil
	}
	w, err := r.newWorld(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := prepare(w); err != nil {
		return nil, errors.Join(fmt.Errorf("make sagas to copy: %w", err), w.remove(context.WithoutCancel(ctx)))
	}
	r.seeded[name] = w
	return w, nil
}

// nobodysQueue is that of the waiting sagas' commands.
const nobodysQueue = "growth-nobody"

// startWaiting starts one saga of each kind that waits, and returns their ids once they do.
func (s *serving) startWaiting(ctx context.Context) ([]string, error) {
	const definition = `{"steps": [
		{"name": "reserve", "command": "growth.reserve", "queue": "growth-nobody", "compensation": "growth.release", "timeout": "36h"},
		{"name": "charge", "command": "growth.charge", "queue": "growth-nobody", "compensation": "growth.refund"},
		{"name": "confirm", "command": "growth.confirm", "queue": "growth-nobody", "kind": "pivot"}]}`
	if _, err := s.client().PutDefinition(ctx, "waiting", json.RawMessage(definition)); err != nil {
		return nil, fmt.Errorf("register a definition: %w", err)
	}
	now := time.Now()
	var ids []string
	for _, at := range []time.Time{now.AddDate(1, 0, 0), now.Add(12 * time.Hour), {}} {
		started, err := s.client().Start(ctx, client.StartRequest{StartSaga: resource.StartSaga{Definition: "waiting", StartAt: at}})
		if err != nil {
			return nil, fmt.Errorf("start a saga that waits: %w", err)
		}
		ids = append(ids, started.ID)
	}
	// The command of the last is in its queue once its row is gone from the outbox.
	return ids, until(ctx, time.Minute, "the outbox is empty", func() (done bool, err error) {
		err = s.world.db.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM outbox)`).Scan(&done)
		return done, err
	})
}

// readable asks an orchestrator for the first, a middle and the last of the copies, and their histories.
func (r *run) readable(ctx context.Context, w *world, from, to int) error {
	return w.served(ctx, func(s *serving) error {
		for _, n := range []int{from, (from + to) / 2, to - 1} {
			var id, status string
			err := w.db.QueryRow(ctx, `SELECT s.id, s.status FROM sagas s WHERE s.id > `+
				`(SELECT `+numberedID()+` FROM (SELECT $1::bigint AS n, (extract(epoch FROM $2::timestamptz + $1 * $3::interval) * 1000)::bigint - 1 AS ms) t) `+
				`ORDER BY s.id LIMIT 1`, n, w.seeds.from, w.seeds.apart).Scan(&id, &status)
			if err != nil {
				return fmt.Errorf("find copy %d: %w", n, err)
			}
			read, err := s.client().Saga(ctx, id)
			if err != nil {
				return fmt.Errorf("read copy %s: %w", id, err)
			}
			history, err := s.client().History(ctx, id)
			if err != nil {
				return fmt.Errorf("read the history of copy %s: %w", id, err)
			}
			if string(read.Status) != status || len(history) == 0 {
				return fmt.Errorf("copy %s is %s with %d entries in its history, and should be %s", id, read.Status, len(history), status)
			}
		}
		return nil
	})
}

// until asks again and again.
func until(ctx context.Context, patience time.Duration, what string, ask func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if done, err := ask(); done || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait until %s: %w", what, ctx.Err())
		}
	}
}
