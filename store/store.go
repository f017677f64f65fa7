package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/saga-orchestrator/orchestrator/internal/seal"
)

const defaultLease = 3 * time.Second

// ErrAsynchronousCommit means that a crash could lose commits that the database has confirmed.
var ErrAsynchronousCommit = errors.New("synchronous_commit is off: committed sagas could be lost in a crash")

// Config configures a store. Only DatabaseURL is required.
type Config struct {
	DatabaseURL string
	// MaxConnections limits the engine's pool; lists and counts have three more connections. 0: twice the number of
	// cores, at least 4. More connections cost more than they gain.
	MaxConnections int
	// LeaseFor is how long a replica may take to publish a command before another takes it over. 0: 3 s.
	LeaseFor time.Duration
	// ApplicationName is shown in pg_stat_activity. Empty: "saga-orchestrator".
	ApplicationName string
	// Tracer traces the statements. nil: none.
	Tracer pgx.QueryTracer
	// Keys seal payloads. nil: they are stored in clear.
	Keys *seal.Keys
}

// Store is a Postgres database that keeps sagas. It is safe for concurrent use.
type Store struct {
	pool    *pgxpool.Pool // the engine's pool
	reads   *pgxpool.Pool // for slow reads
	lookups chan struct{} // a semaphore: has a value for each connection of pool that a caller's read uses
	lease   time.Duration
	clock   clock
	cache   *instanceCache
	kept    kept
	keys    *seal.Keys // nil: payloads are clear
	lacked  atomic.Pointer[lacked]
	starts  writeFaults
	changed writeFaults
}

// Open connects to the database. It fails with ErrAsynchronousCommit if the database could lose confirmed commits, and
// with ErrPooler if sessions do not get their settings. It does not check the schema; CheckSchema does. Close the store after use.
func Open(ctx context.Context, config Config) (*Store, error) {
	settings, err := config.engineSettings()
	if err != nil {
		return nil, err
	}
	s := &Store{lease: config.LeaseFor, cache: newInstanceCache(), keys: config.Keys}
	s.starts.of, s.changed.of = "starts", "changes of sagas"
	if s.lease <= 0 {
		s.lease = defaultLease
	}
	s.kept.count = s.countPast
	if err := s.openPools(ctx, settings); err != nil {
		return nil, err
	}
	if err := s.checkDurability(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.checkSessions(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) checkDurability(ctx context.Context) error {
	var synchronousCommit string
	err := s.pool.QueryRow(ctx, `select current_setting('synchronous_commit')`).
		Scan(&synchronousCommit)
	if err != nil {
		return fmt.Errorf("read the database's settings: %w", poolerFault(err))
	}
	if synchronousCommit == "off" {
		return ErrAsynchronousCommit
	}
	return nil
}
