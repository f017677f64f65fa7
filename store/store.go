package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Limits of every session, so that no statement and no lock outlives whoever waits for it.
const (
	statementTimeout = 5 * time.Second
	lockTimeout      = 2 * time.Second
	idleInTxTimeout  = 10 * time.Second
	defaultLease     = 3 * time.Second
	leastConnections = 4
)

// ErrAsynchronousCommit means that the database would report commits that a crash can still lose.
var ErrAsynchronousCommit = errors.New("synchronous_commit is off: committed sagas could be lost in a crash")

// Config says where the database is and how to use it.
type Config struct {
	DatabaseURL string
	// MaxConnections bounds the pool. 0: twice the number of cores, at least 4; more costs more than it gives.
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
	pool  *pgxpool.Pool
	lease time.Duration
	clock clock
	cache *instanceCache
}

// Open connects to the database and refuses one that could lose what it has confirmed. It does not look at the schema:
// CheckSchema does. Close the store after use.
func Open(ctx context.Context, config Config) (*Store, error) {
	settings, err := config.pool()
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	s := &Store{pool: pool, lease: config.LeaseFor, cache: newInstanceCache()}
	if s.lease <= 0 {
		s.lease = defaultLease
	}
	if err := s.checkDurability(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	return s, nil
}

func (c Config) pool() (*pgxpool.Config, error) {
	settings, err := pgxpool.ParseConfig(c.DatabaseURL)
	if err != nil {
		return nil, fmt.Errorf("read the database URL: %w", err)
	}
	settings.MaxConns = int32(max(leastConnections, 2*runtime.NumCPU()))
	if c.MaxConnections > 0 {
		settings.MaxConns = int32(min(c.MaxConnections, 10_000))
	}
	if c.ApplicationName == "" {
		c.ApplicationName = "saga-orchestrator"
	}
	settings.ConnConfig.Tracer = c.Tracer
	session := settings.ConnConfig.RuntimeParams
	session["application_name"] = c.ApplicationName
	session["timezone"] = "UTC"
	session["statement_timeout"] = milliseconds(statementTimeout)
	session["lock_timeout"] = milliseconds(lockTimeout)
	session["idle_in_transaction_session_timeout"] = milliseconds(idleInTxTimeout)
	// Every statement of the hot path reaches its rows by a key. On a table that is empty or without statistics the
	// planner would rather scan it, and keep that plan while the table grows; so it is told. survey takes this back.
	session["enable_seqscan"] = "off"
	session["enable_hashjoin"] = "off"
	session["enable_mergejoin"] = "off"
	session["plan_cache_mode"] = "force_generic_plan"
	session["jit"] = "off"
	return settings, nil
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

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

// Ping says whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("ping the database: %w", err)
	}
	return nil
}

// Close waits for what is under way and closes all connections.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// survey runs a read that may look at many rows, with the planner left free, on one snapshot.
func (s *Store) survey(ctx context.Context, read func(pgx.Tx) error) error {
	options := pgx.TxOptions{BeginQuery: `begin isolation level repeatable read read only;
		set local enable_seqscan = on; set local enable_hashjoin = on; set local enable_mergejoin = on;
		set local plan_cache_mode = force_custom_plan`}
	return pgx.BeginTxFunc(ctx, s.pool, options, read)
}
