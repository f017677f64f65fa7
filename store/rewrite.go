package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/seal"
)

const (
	// rewriteBlocks is the number of blocks of a table that a transaction reads.
	rewriteBlocks = 64
	// rewriteRows is the number of rows that it seals anew at a time.
	rewriteRows = 50
	// rewriteAgain is when payloads that could not be opened are tried again.
	rewriteAgain = time.Hour
)

// pass is the row of payload_rewrite.
type pass struct {
	key             string
	step            int
	block           int64
	changed, failed int64
	done, old       bool // old: it was done long ago
}

// readPass reads the pass. With lock it returns pgx.ErrNoRows while another replica has it.
func readPass(ctx context.Context, q queryer, lock bool) (p pass, err error) {
	statement := `select key, step, block, changed, failed, done_at is not null, coalesce(done_at < clock_timestamp() - $1::interval, false)
		from payload_rewrite`
	if lock {
		statement += ` for update skip locked`
	}
	rows, err := q.Query(ctx, statement, rewriteAgain)
	if err != nil {
		return p, err
	}
	return pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (p pass, err error) {
		err = row.Scan(&p.key, &p.step, &p.block, &p.changed, &p.failed, &p.done, &p.old)
		return p, err
	})
}

// RewritePayloads seals some stored payloads with the current key: one part of one table. more is false if there is nothing to
// do for now. It waits while a replica seals with another key, because that one would add payloads behind the pass.
func (s *Store) RewritePayloads(ctx context.Context) (more bool, err error) {
	if s.keys == nil {
		return false, nil
	}
	err = retried(ctx, func() error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			more = false
			p, err := readPass(ctx, tx, true)
			if errors.Is(err, pgx.ErrNoRows) {
				return nil
			}
			if err != nil {
				return err
			}
			stored, err := payloadKeys(ctx, tx)
			if err != nil || !s.mayRewrite(&p, stored) {
				return err
			}
			more = true
			return s.rewritePart(ctx, tx, p)
		})
	})
	return more, wrapped("seal stored payloads with the current key", err)
}

// mayRewrite reports whether there is something to do. It begins a pass where one is needed.
func (s *Store) mayRewrite(p *pass, stored []payloadKey) bool {
	others := 0
	for _, key := range stored {
		if key.id != s.keys.Current() {
			others++
			if key.inUse {
				return false
			}
		}
	}
	switch {
	case len(stored) == 0: // clear, and nothing was ever sealed
		return false
	case p.key != s.keys.Current() || p.done && others > 0 && p.old:
		*p = pass{key: s.keys.Current()}
	case p.done:
		return false
	}
	return true
}

// rewritePart reads the next blocks of the pass, and stores how far it is.
func (s *Store) rewritePart(ctx context.Context, tx pgx.Tx, p pass) error {
	tables := s.payloadTables()
	if p.step >= len(tables) {
		return s.endPass(ctx, tx, p)
	}
	table := &tables[p.step]
	blocks, err := blocksOf(ctx, tx, table.name)
	if err != nil {
		return err
	}
	if p.block >= blocks {
		p.step, p.block = p.step+1, 0
		return storePass(ctx, tx, p)
	}
	changed, failed, err := s.rewriteRange(ctx, tx, table, p.block, p.block+rewriteBlocks)
	if err != nil {
		return fmt.Errorf("table %s: %w", table.name, err)
	}
	p.block, p.changed, p.failed = p.block+rewriteBlocks, p.changed+changed, p.failed+failed
	return storePass(ctx, tx, p)
}

func storePass(ctx context.Context, tx pgx.Tx, p pass) error {
	_, err := tx.Exec(ctx, `update payload_rewrite set key = $1, step = $2, block = $3, changed = $4, failed = $5,
		done_at = case when $6 then clock_timestamp() end`, p.key, p.step, p.block, p.changed, p.failed, p.done)
	return err
}

// endPass begins another pass if this one has changed something. Otherwise the other keys are not needed any more.
func (s *Store) endPass(ctx context.Context, tx pgx.Tx, p pass) error {
	if p.changed > 0 {
		return storePass(ctx, tx, pass{key: p.key})
	}
	p.done = true
	if err := storePass(ctx, tx, p); err != nil || p.failed > 0 {
		return err
	}
	_, err := tx.Exec(ctx, `delete from payload_keys where id <> $1 and not (`+keyInUse("$2")+`) or id = $1 and id = $3`,
		p.key, record.PayloadKeyLease, seal.Clear)
	return err
}

// rewriteRange seals the stale rows between two blocks. A row that is locked or cannot be opened stays, and counts as failed.
func (s *Store) rewriteRange(ctx context.Context, tx pgx.Tx, table *payloadTable, from, to int64) (changed, failed int64, err error) {
	for {
		limit := rewriteRows + failed // those that cannot be opened come again
		rows, err := tx.Query(ctx, `select r.ctid::text, `+table.columns+` from `+table.name+` r
			where r.ctid >= $1::text::tid and r.ctid < $2::text::tid and (`+table.stale+`) limit $3 for update skip locked`,
			blockStart(from), blockStart(to), limit)
		if err != nil {
			return changed, failed, err
		}
		found, err := pgx.CollectRows(rows, table.read)
		if err != nil {
			return changed, failed, err
		}
		rewritten, b := int64(0), &pgx.Batch{}
		failed = 0
		for _, row := range found {
			values, err := row.recode()
			switch {
			case err != nil:
				failed++
			case values != nil:
				rewritten++
				b.Queue(`update `+table.name+` r set `+table.set+` where r.ctid = $1::text::tid`, append([]any{row.place}, values...)...)
			}
		}
		if rewritten > 0 {
			if err := tx.SendBatch(ctx, b).Close(); err != nil {
				return changed, failed, err
			}
		}
		changed += rewritten
		if rewritten == 0 || int64(len(found)) < limit {
			return changed, failed, nil
		}
	}
}

func blockStart(block int64) string { return fmt.Sprintf("(%d,0)", block) }
