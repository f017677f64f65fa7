package roofline

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const schema = `
CREATE TABLE roof (
	id         text PRIMARY KEY,
	status     text NOT NULL,
	done       int NOT NULL,
	data       jsonb NOT NULL,
	updated_at timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE roof_history (
	id   text NOT NULL,
	done int NOT NULL,
	type text NOT NULL,
	at   timestamptz NOT NULL,
	PRIMARY KEY (id, done)
)`

// plans returns session settings that force index scans. Without statistics, Postgres would scan the new table for each
// batch.
func plans() map[string]string {
	return map[string]string{"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}
}

// rows holds the rows of a batch, by columns.
type rows struct {
	newIDs, newData  []string
	ids, statuses    []string
	done             []int
	histIDs, history []string
	histDone         []int
}

// start adds the rows of a new saga.
func (r *rows) start(id string, data []byte) {
	r.newIDs, r.newData = append(r.newIDs, id), append(r.newData, string(data))
	r.note(id, 0, "saga.started")
}

// step adds the rows of an answered command.
func (r *rows) step(id string, done int, status string) {
	r.ids, r.done, r.statuses = append(r.ids, id), append(r.done, done), append(r.statuses, status)
	r.note(id, done, "step.succeeded")
}

func (r *rows) note(id string, done int, kind string) {
	r.histIDs, r.histDone, r.history = append(r.histIDs, id), append(r.histDone, done), append(r.history, kind)
}

// commit writes the rows in one transaction, with up to three statements in one round trip.
func (r *rows) commit(ctx context.Context, pool *pgxpool.Pool) error {
	batch := &pgx.Batch{}
	if len(r.newIDs) > 0 {
		batch.Queue(`INSERT INTO roof (id, status, done, data, updated_at)
			SELECT unnest($1::text[]), 'running', 0, unnest($2::jsonb[]), now()`, r.newIDs, r.newData)
	}
	if len(r.ids) > 0 {
		batch.Queue(`UPDATE roof SET status = n.status, done = n.done, updated_at = now()
			FROM (SELECT unnest($1::text[]) AS id, unnest($2::text[]) AS status, unnest($3::int[]) AS done) n WHERE roof.id = n.id`, r.ids, r.statuses, r.done)
	}
	batch.Queue(`INSERT INTO roof_history (id, done, type, at)
		SELECT unnest($1::text[]), unnest($2::int[]), unnest($3::text[]), now()`,
		r.histIDs, r.histDone, r.history)
	results := pool.SendBatch(ctx, batch)
	var err error
	for range batch.Len() {
		_, fault := results.Exec()
		err = errors.Join(err, fault)
	}
	if err := errors.Join(err, results.Close()); err != nil {
		return fmt.Errorf("commit a batch: %w", err)
	}
	return nil
}
