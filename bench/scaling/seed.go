package scaling

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// seeds describes the copied sagas of an installation.
type seeds struct {
	patterns []string  // ids of the sagas to copy, in turns
	entries  []string  // the history of each pattern, as one decision
	from     time.Time // creation time of the first copy
	apart    time.Duration
	n        int // number of copies
}

// stretch is the number of copies per statement.
const stretch = 250_000

// newSeeds makes existing sagas the patterns of up to most copies. Their creation times are spread evenly over the given time
// before now. All other times of a copy keep their distance from its creation.
func (in *installation) newSeeds(ctx context.Context, patterns []string, over time.Duration, most int) error {
	in.seeds = seeds{patterns: patterns, from: time.Now().Add(-over), apart: over / time.Duration(max(most, 1)+1)}
	for _, id := range patterns {
		var entries string
		err := in.db.QueryRow(ctx, `SELECT json_agg(e.entry ORDER BY d.seq, e.position)::text FROM saga_decisions d,
			json_array_elements(d.entries) WITH ORDINALITY AS e (entry, position) WHERE d.saga_id = $1`, id).Scan(&entries)
		if err != nil {
			return fmt.Errorf("read the history of a pattern: %w", err)
		}
		in.seeds.entries = append(in.seeds.entries, entries)
	}
	return nil
}

// seed adds copies until there are n. It then vacuums, analyzes and writes a checkpoint, as in a long-lived database.
func (in *installation) seed(ctx context.Context, n int) error {
	began, before := time.Now(), in.seeds.n
	if n <= before {
		return nil
	}
	// Two connections in parallel: the rows of one table do not depend on the other's.
	both, ctxBoth := errgroup.WithContext(ctx)
	for _, statement := range []string{copySagas(), copyDecisions()} {
		both.Go(func() error { return in.copy(ctxBoth, statement, before, n) })
	}
	if err := both.Wait(); err != nil {
		return err
	}
	in.seeds.n = n
	copied := time.Since(began)
	for _, statement := range []string{"VACUUM (ANALYZE) sagas", "VACUUM (ANALYZE) saga_decisions", "CHECKPOINT"} {
		if _, err := in.db.Exec(ctx, statement); err != nil {
			return fmt.Errorf("%s after seeding: %w", strings.ToLower(statement), err)
		}
	}
	var size string
	if err := in.db.QueryRow(ctx, `SELECT pg_size_pretty(pg_database_size(current_database()))`).Scan(&size); err != nil {
		return fmt.Errorf("ask for the size of the database: %w", err)
	}
	in.run.note("Seeded up to %s sagas in %s, with the whole history of each in one row; vacuum, analyze and checkpoint took %s; the database has %s.",
		thousands(n), copied.Round(time.Second), (time.Since(began) - copied).Round(time.Second), size)
	return in.run.readable(ctx, in, before, n)
}

// copy makes the copies with numbers in [from, to).
func (in *installation) copy(ctx context.Context, statement string, from, to int) error {
	conn, err := in.connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	s := in.seeds
	for ; from < to; from += stretch {
		_, err := conn.Exec(ctx, statement, from, min(from+stretch, to)-1, s.from, s.apart, s.patterns, s.entries)
		if err != nil {
			return fmt.Errorf("copy sagas: %w", err)
		}
	}
	return nil
}

// numbered selects the numbers, times and ids of copies. Its parameters are the first and last number, the time of copy 0,
// the time between copies, the patterns, and their histories.
const numbered = `WITH pattern AS MATERIALIZED (
		SELECT s.*, array_position($5::text[], s.id) AS place, ($6::text[])[array_position($5::text[], s.id)]::json AS entries
		FROM sagas s WHERE s.id = ANY($5::text[])),
	timed AS MATERIALIZED (
		SELECT n, $3::timestamptz + n * $4::interval AS at, 1 + n % cardinality($5::text[]) AS place,
			(extract(epoch FROM $3::timestamptz + n * $4::interval) * 1000)::bigint AS ms
		FROM generate_series($1::bigint, $2::bigint) AS n),
	copy AS (SELECT t.n, t.place, t.at, `

// numberedID returns the SQL expression of a copy's ULID: milliseconds as ten base-32 digits, then the copy's number in
// place of the random part.
func numberedID() string {
	var digits []string
	for shift := 45; shift >= 0; shift -= 5 {
		digits = append(digits, fmt.Sprintf(
			"substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 1 + (t.ms >> %d & 31)::integer, 1)", shift))
	}
	return strings.Join(digits, " || ") + " || lpad(t.n::text, 16, '0')"
}

func copySagas() string {
	return numbered + numberedID() + ` AS id FROM timed t)
	INSERT INTO sagas (id, definition, version, key, priority, labels, trace_parent, step_names, created_at, start_at, deadline_at,
		data, status, finished_at, wake_at, attention_reason, attention_since, attention_step, attention_message, revision,
		updated_at, progress)
	SELECT c.id, p.definition, p.version, '', p.priority, p.labels, p.trace_parent, p.step_names, c.at,
		c.at + (p.start_at - p.created_at), c.at + (p.deadline_at - p.created_at), p.data, p.status,
		c.at + (p.finished_at - p.created_at), c.at + (p.wake_at - p.created_at), p.attention_reason,
		c.at + (p.attention_since - p.created_at), p.attention_step, p.attention_message, p.revision,
		c.at + (p.updated_at - p.created_at), p.progress
	FROM copy c JOIN pattern p ON p.place = c.place ORDER BY c.n`
}

func copyDecisions() string {
	return numbered + numberedID() + ` AS id FROM timed t)
	INSERT INTO saga_decisions (saga_id, seq, at, actor, entries)
	SELECT c.id, 1, c.at, '', p.entries FROM copy c JOIN pattern p ON p.place = c.place ORDER BY c.n`
}
