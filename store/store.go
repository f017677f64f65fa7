package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const defaultLease = 3 * time.Second

// ErrAsynchronousCommit means that the database would report commits that a crash can still lose.
var ErrAsynchronousCommit = errors.New("synchronous_commit is off: committed sagas could be lost in a crash")

// Config says where the database is and how to use it.
type Config struct {
	DatabaseURL string
	// MaxConnections bounds the engine's pool; three more are for lists and counts. 0: twice the number of cores, at least 4; more costs more than it gives.
	MaxConnections int
	// LeaseFor is how long a replica has for publishing a command before another one takes it over. 0: 3 s.
	LeaseFor time.Duration
	// ApplicationName is what pg_stat_activity shows. Empty: "saga-orchestrator".
	ApplicationName string
	// Tracer follows the statements. nil: none.
	Tracer pgx.QueryTracer
}

// Store is a Postgres database that keeps sagas. It is safe for concurrent use.
type Store struct {
	pool    *pgxpool.Pool // the engine's
	reads   *pgxpool.Pool // for reads that may be slow
	lookups chan struct{} // has a value for each connection of pool that a caller's read uses
	lease   time.Duration
	clock   clock
	cache   *instanceCache
}

// Open connects to the database and refuses one that could lose what it has confirmed. It does not look at the schema:
// CheckSchema does. Close the store after use.
func Open(ctx context.Context, config Config) (*Store, error) {
	settings, err := config.engineSettings()
	if err != nil {
		return nil, err
	}
	s := &Store{lease: config.LeaseFor, cache: newInstanceCache()}
	if s.lease <= 0 {
		s.lease = defaultLease
	}
	if err := s.openPools(ctx, settings); err != nil {
		return nil, err
	}
	if err := s.checkDurability(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) checkDurability(ctx context.Context) error {
	var synchronousCommit string
	err := s.pool.QueryRow(ctx, `select current_setting('synchronous_commit')`).
		Scan(&synchronousCommit)
	if err != nil {
		return fmt.Errorf("read the database's settings: %w", err)
	}
	if synchronousCommit == "off" {
		return ErrAsynchronousCommit
	}
	return nil
}
