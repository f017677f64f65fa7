package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

const (
	// sealBatch is the number of entries that one transaction seals.
	sealBatch = 2000

	// lockChain makes the sealers of all replicas take turns.
	lockChain = `select case when seq between 0 and 9000000000000000000 then seq else 0 end, hash from audit_chain for update`

	// lastSealed finds the end of the chain where a hand has set it back in audit_chain, or has added entries after it. It looks no
	// further than half of what lockChain accepts, so that the chain cannot end there.
	lastSealed = `select seq, case when length(hash) = 32 then hash else $2 end from audit
		where seq > $1 and seq < 4500000000000000000 order by seq desc limit 1`

	unsealed = `select ` + auditColumns + ` from audit a where a.seq is null order by a.id limit $1`

	setSeals = `update audit a set seq = n.seq, hash = n.hash,
			actor = case when octet_length(a.actor) > $4 then left(a.actor, $5) else a.actor end,
			target = case when octet_length(a.target) > $4 then left(a.target, $5) else a.target end
		from (select unnest($1::text[])::tid as place, unnest($2::bigint[]) as seq, unnest($3::bytea[]) as hash) n
		where a.ctid = n.place and a.seq is null`

	// expireRows deletes the first entries up to one that is not old.
	expireRows = `with old as (
			select a.id, a.seq, a.hash from (select id, seq, hash, at from audit where seq is not null order by seq limit $2) a
			where a.seq < coalesce((select min(b.seq) from (select seq, at from audit where seq is not null order by seq limit $2) b
				where b.at` + usable + ` and b.at >= now() - $1::interval), 9223372036854775807)),
		gone as (delete from audit where seq = any(array(select seq from old)) returning seq)
		select coalesce(max(seq), 0), (select hash from old order by seq desc limit 1), (select count(*) from gone) from old`
)

// errNoChain means that audit_chain is empty: nothing can be sealed.
var errNoChain = errors.New("the row of the table audit_chain is missing, so that no entry can be sealed: restore it from a backup")

// SealAudit gives the stored audit entries that have none yet their seq and hash, and returns how many it sealed.
func (s *Store) SealAudit(ctx context.Context) (sealed int, err error) {
	for {
		var some bool
		err := s.pool.QueryRow(ctx, `select exists (select from audit_waiting) or exists (select from audit where seq is null)`).Scan(&some)
		if err != nil || !some {
			return sealed, wrapped("seal the audit log", err)
		}
		entries, more := 0, false
		err = retried(ctx, func() error {
			return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) (err error) {
				entries, more, err = s.sealEntries(ctx, tx)
				return err
			})
		})
		sealed += entries
		if err != nil || !more {
			return sealed, wrapped("seal the audit log", err)
		}
	}
}

// sealEntries seals entries of replicas of the version before, which are rows of audit, and those that wait.
func (s *Store) sealEntries(ctx context.Context, tx pgx.Tx) (sealed int, more bool, err error) {
	var chain record.AuditChain
	err = tx.QueryRow(ctx, lockChain).Scan(&chain.Seq, &chain.Hash)
	if errors.Is(err, pgx.ErrNoRows) {
		err = errNoChain
	}
	if err != nil {
		return 0, false, err
	}
	err = tx.QueryRow(ctx, lastSealed, chain.Seq, chain.Hash).Scan(&chain.Seq, &chain.Hash)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, false, err
	}
	// Separate statements, which see what was sealed during the wait for the lock.
	rows, err := s.sealRows(ctx, tx, &chain)
	if err != nil {
		return 0, false, err
	}
	entries, more, err := s.waiting(ctx, tx)
	if err == nil && len(entries) > 0 {
		if err = chain.Chained(entries); err == nil {
			err = s.storeSealed(ctx, tx, entries)
		}
	}
	if err == nil && rows+len(entries) > 0 {
		_, err = tx.Exec(ctx, `update audit_chain set seq = $1, hash = $2`, chain.Seq, chain.Hash)
	}
	return rows + len(entries), more || rows == sealBatch, err
}

// sealRows seals rows of audit.
func (s *Store) sealRows(ctx context.Context, tx pgx.Tx, chain *record.AuditChain) (int, error) {
	rows, err := tx.Query(ctx, unsealed, sealBatch)
	if err != nil {
		return 0, err
	}
	entries, places, err := s.auditRows(ctx, tx, rows)
	if err != nil || len(entries) == 0 {
		return 0, err
	}
	for i := range entries {
		cutIndexed(&entries[i])
	}
	seqs, hashes := make([]int64, len(entries)), make([][]byte, len(entries))
	if err := chain.Chained(entries); err != nil {
		return 0, err
	}
	for i := range entries {
		seqs[i], hashes[i] = entries[i].Seq, entries[i].Hash
	}
	_, err = tx.Exec(ctx, setSeals, places, seqs, hashes, maxIndexed, maxIndexed/4)
	return len(entries), err
}

// AuditChain returns the extent of the chain. It has no Hash if its row was deleted by hand.
func (s *Store) AuditChain(ctx context.Context) (c record.AuditChain, err error) {
	err = s.survey(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `select coalesce(seq, 0), hash, coalesce(first_seq, 0), first_hash, (select count(*) from audit where seq is null)
				+ (select coalesce(sum(case when json_typeof(entries) = 'array' then json_array_length(entries) else 1 end), 0) from audit_waiting) from audit_chain`).
			Scan(&c.Seq, &c.Hash, &c.FirstSeq, &c.FirstHash, &c.Unsealed)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // the chain has no hash, not even that of its beginning
		}
		return err
	})
	return c, wrapped("read the end of the audit log", err)
}

// ExpireAudit deletes audit entries that are older than age, up to limit, from the first one on. The chain then begins after
// the last deleted one. An age of 0 expires none.
func (s *Store) ExpireAudit(ctx context.Context, age time.Duration, limit int) (deleted int, err error) {
	if age <= 0 {
		return 0, nil
	}
	err = retried(ctx, func() error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, lockChain); err != nil {
				return err
			}
			var seq int64
			var hash []byte
			if err := tx.QueryRow(ctx, expireRows, age, limit).Scan(&seq, &hash, &deleted); err != nil || deleted == 0 {
				return err
			}
			_, err := tx.Exec(ctx, `update audit_chain set first_seq = $1, first_hash = $2`, seq, hash)
			return err
		})
	})
	return deleted, wrapped("delete old audit entries", err)
}

func wrapped(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
