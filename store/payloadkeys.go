package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/seal"
)

// UsePayloadKeys registers the current key, and returns record.ErrPayloadKeys if payloads are sealed with a key that the
// store lacks. Call it before the first write, and about every half minute afterwards: it also reports that the key is in use.
func (s *Store) UsePayloadKeys(ctx context.Context) error {
	err := retried(ctx, func() error {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
			if s.keys != nil {
				if err := s.registerKey(ctx, tx); err != nil {
					return err
				}
			}
			return s.lackedKeys(ctx, tx)
		})
	})
	return wrapped("check the payload keys", err)
}

// lackedKeys returns record.ErrPayloadKeys if payloads may be sealed with a key that the store lacks.
func (s *Store) lackedKeys(ctx context.Context, q queryer) error {
	missing, err := s.missingKeys(ctx, q)
	if err == nil && len(missing) > 0 {
		err = decideError{fmt.Errorf("%w: %s", record.ErrPayloadKeys, strings.Join(missing, ", "))}
	}
	return err
}

// registerKey adds the current key. Clear payloads need an entry only while others are sealed.
func (s *Store) registerKey(ctx context.Context, tx pgx.Tx) error {
	verifier := s.keys.Verifier()
	if !s.keys.On() {
		verifier = []byte{}
	}
	// Only a verifier that no key has made is replaced.
	_, err := tx.Exec(ctx, `insert into payload_keys as k (id, verifier, used_at)
		select $1, $2, clock_timestamp() where $1 <> $3 or exists (select from payload_keys)
		on conflict (id) do update set used_at = excluded.used_at,
			verifier = case when substring(k.verifier for $4) = $5 then k.verifier else excluded.verifier end`,
		s.keys.Current(), verifier, seal.Clear, len(s.keys.BytesMark()), s.keys.BytesMark())
	return err
}

// missingKeys returns what is wrong with keys that payloads may be sealed with.
func (s *Store) missingKeys(ctx context.Context, q queryer) (missing []string, err error) {
	stored, err := payloadKeys(ctx, q)
	if err != nil {
		return nil, err
	}
	found := lacked{}
	for _, key := range stored {
		switch {
		case key.id == seal.Clear || !seal.IsVerifier(key.id, key.verifier):
			continue
		case !s.keys.Has(key.id):
			missing = append(missing, key.id)
		case s.keys.Verify(key.verifier) != nil:
			missing = append(missing, key.id+" (the file has another key under this id, or the verifier in the table payload_keys was changed)")
		default:
			continue
		}
		found = append(found, key.id)
	}
	s.lacked.Store(&found)
	return missing, nil
}

// keyInUse is an SQL condition: a replica has used the key within the lease, an SQL expression. A time that is far ahead was written by hand.
func keyInUse(lease string) string {
	return `(used_at is not null and used_at between clock_timestamp() - ` + lease + `::interval and clock_timestamp() + ` + lease + `::interval)`
}

type payloadKey struct {
	id       string
	verifier []byte
	inUse    bool // by a replica
}

func payloadKeys(ctx context.Context, q queryer) ([]payloadKey, error) {
	rows, err := q.Query(ctx, `select id, verifier, `+keyInUse("$1")+` from payload_keys order by id`, record.PayloadKeyLease)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (k payloadKey, err error) {
		err = row.Scan(&k.id, &k.verifier, &k.inUse)
		return k, err
	})
}

// PayloadStatus returns how far the stored payloads are sealed with the current key.
func (s *Store) PayloadStatus(ctx context.Context) (status record.PayloadStatus, err error) {
	status.Current = s.keys.Current()
	err = s.look(ctx, func(ctx context.Context, q queryer) error {
		stored, err := payloadKeys(ctx, q)
		if err != nil || len(stored) == 0 {
			status.Done = true
			return err
		}
		for _, key := range stored {
			if key.id != status.Current {
				status.Others = append(status.Others, key.id)
				status.Waiting = status.Waiting || key.inUse
			}
		}
		if status.Missing, err = s.missingKeys(ctx, q); err != nil || s.keys == nil {
			return err
		}
		return s.passStatus(ctx, q, &status)
	})
	if err != nil {
		return status, fmt.Errorf("read the status of the payload keys: %w", err)
	}
	return status, nil
}

// passStatus reads how far the pass is.
func (s *Store) passStatus(ctx context.Context, q queryer, status *record.PayloadStatus) error {
	p, err := readPass(ctx, q, false)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil // impossible: the migration has made the row
	}
	if err != nil {
		return err
	}
	status.Failed = p.failed
	if p.key == status.Current && p.done {
		status.Done = len(status.Others) == 0
		return nil
	}
	if p.key != status.Current {
		p = pass{}
	}
	tables := s.payloadTables()
	for i := range tables {
		if i < p.step {
			continue
		}
		blocks, err := blocksOf(ctx, q, tables[i].name)
		if err != nil {
			return err
		}
		if i == p.step {
			blocks -= p.block
		}
		status.Remaining += max(blocks, 0)
	}
	status.Remaining = max(status.Remaining, 1) // the pass that finds nothing is still to come
	return nil
}

func blocksOf(ctx context.Context, q queryer, table string) (blocks int64, err error) {
	rows, err := q.Query(ctx, `select pg_relation_size($1::regclass) / current_setting('block_size')::integer`, table)
	if err != nil {
		return 0, err
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	return slices.Max(append(found, 0)), err
}
