package scaling

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/saga-orchestrator/orchestrator/client"
)

// finished returns the installation whose seeds are completed sagas of the last 30 days.
func (r *run) finished(ctx context.Context) (*installation, error) {
	return r.patterned(ctx, "finished", func(in *installation) error {
		var pattern string
		err := in.served(ctx, func(s *serving) error {
			if _, err := s.bench(ctx, "--in-flight", "1", "--warmup", "0s", "--duration", "200ms"); err != nil {
				return err
			}
			return in.db.QueryRow(ctx, `SELECT id FROM sagas ORDER BY id LIMIT 1`).Scan(&pattern)
		})
		if err != nil {
			return err
		}
		return in.newSeeds(ctx, []string{pattern}, 30*24*time.Hour, slices.Max(r.Plan.Finished))
	})
}

// waiting returns the installation whose seeds are waiting sagas: a third starts next year, a third starts within hours, and
// a third waits for a reply that times out within two days.
func (r *run) waiting(ctx context.Context) (*installation, error) {
	return r.patterned(ctx, "waiting", func(in *installation) error {
		var patterns []string
		err := in.served(ctx, func(s *serving) (err error) {
			patterns, err = s.startWaiting(ctx)
			return err
		}, "--overdue-after=-1s") // otherwise each saga would need attention as overdue
		if err != nil {
			return err
		}
		return in.newSeeds(ctx, patterns, 10*time.Hour, slices.Max(r.Plan.Waiting))
	})
}

// patterned returns an installation with its patterns, and creates it on first use.
func (r *run) patterned(ctx context.Context, name string, prepare func(*installation) error) (*installation, error) {
	if in, there := r.seeded[name]; there {
		return in, nil
	}
	in, err := r.newInstallation(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := prepare(in); err != nil {
		return nil, errors.Join(fmt.Errorf("create sagas to copy: %w", err), in.remove(context.WithoutCancel(ctx)))
	}
	r.seeded[name] = in
	return in, nil
}

// unservedQueue is the queue of the waiting sagas' commands. It has no consumer.
const unservedQueue = "growth-unserved"

// startWaiting starts one saga of each kind of waiting, and returns their ids when all wait.
func (s *serving) startWaiting(ctx context.Context) ([]string, error) {
	const definition = `{"steps": [
		{"name": "reserve", "command": "growth.reserve", "queue": "growth-unserved", "compensation": "growth.release", "timeout": "36h"},
		{"name": "charge", "command": "growth.charge", "queue": "growth-unserved", "compensation": "growth.refund"},
		{"name": "confirm", "command": "growth.confirm", "queue": "growth-unserved", "kind": "pivot"}]}`
	if _, err := s.client().PutDefinition(ctx, "waiting", json.RawMessage(definition)); err != nil {
		return nil, fmt.Errorf("register a definition: %w", err)
	}
	now := time.Now()
	var ids []string
	for _, at := range []time.Time{now.AddDate(1, 0, 0), now.Add(12 * time.Hour), {}} {
		started, err := s.client().Start(ctx, client.StartRequest{Definition: "waiting", StartAt: at})
		if err != nil {
			return nil, fmt.Errorf("start a waiting saga: %w", err)
		}
		ids = append(ids, started.ID)
	}
	// The last saga's command is in its queue when its row has left the outbox.
	return ids, until(ctx, time.Minute, "the outbox is empty", func() (done bool, err error) {
		err = s.installation.db.QueryRow(ctx, `SELECT NOT EXISTS (SELECT FROM outbox)`).Scan(&done)
		return done, err
	})
}

// readable checks that an orchestrator can read the first, middle and last copies with their histories.
func (r *run) readable(ctx context.Context, in *installation, from, to int) error {
	return in.served(ctx, func(s *serving) error {
		for _, n := range []int{from, (from + to) / 2, to - 1} {
			var id, status string
			err := in.db.QueryRow(ctx, `SELECT s.id, s.status FROM sagas s WHERE s.id > `+
				`(SELECT `+numberedID()+` FROM (SELECT $1::bigint AS n, (extract(epoch FROM $2::timestamptz + $1 * $3::interval) * 1000)::bigint - 1 AS ms) t) `+
				`ORDER BY s.id LIMIT 1`, n, in.seeds.from, in.seeds.apart).Scan(&id, &status)
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
				return fmt.Errorf("copy %s is %s with %d history entries; it should be %s", id, read.Status, len(history), status)
			}
		}
		return nil
	})
}

// until polls until ask returns true or an error.
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
