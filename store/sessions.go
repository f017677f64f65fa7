package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// Limits of every session. No statement and no lock outlives its caller.
const (
	statementTimeout = 5 * time.Second
	lockTimeout      = 2 * time.Second
	idleInTxTimeout  = 10 * time.Second
	leastConnections = 4
)

const (
	// readConnections is the size of the pool for slow reads: lists and counts. They would delay the engine on its own
	// pool.
	readConnections = 3
	// readWait is how long such a read waits for a connection.
	readWait = 2 * time.Second
	// lookWait is how long a read of a few rows waits for one. They are fast, so only a server that stalls makes
	// them wait; a small one does so for seconds while it writes a checkpoint.
	lookWait = statementTimeout
)

// errReadOnly means that the server or the session refuses writes.
var errReadOnly = errors.New("the database is read-only")

// engineSettings returns the settings of the engine's pool.
func (c Config) engineSettings() (*pgxpool.Config, error) {
	settings, err := parsePool(c.DatabaseURL)
	if err != nil {
		return nil, err
	}
	settings.MaxConns = int32(max(leastConnections, 2*runtime.NumCPU())) //nolint:gosec // a few connections for each core
	if c.MaxConnections > 0 {
		settings.MaxConns = int32(min(c.MaxConnections, 10_000))
	}
	if c.ApplicationName == "" {
		c.ApplicationName = "saga-orchestrator"
	}
	settings.ConnConfig.Tracer = c.Tracer
	session := settings.ConnConfig.RuntimeParams
	session["application_name"] = c.ApplicationName
	session["timezone"], session["standard_conforming_strings"] = "UTC", "on" // a role may have others
	if pooled(settings.ConnConfig) {
		return settings, nil
	}
	maps.Copy(session, sessionSettings())
	session["plan_cache_mode"] = "force_generic_plan" // of prepared statements
	return settings, nil
}

func milliseconds(d time.Duration) string { return fmt.Sprintf("%dms", d.Milliseconds()) }

// openPools connects. If a session turns out to be read-only, all sessions are closed: the server was demoted.
func (s *Store) openPools(ctx context.Context, settings *pgxpool.Config) (err error) {
	closing := settings.ConnConfig.OnPgError
	settings.ConnConfig.OnPgError = func(conn *pgconn.PgConn, answered *pgconn.PgError) bool {
		if answered.Code == readOnlyTransaction {
			s.resetPools()
			return false
		}
		return closing == nil || closing(conn, answered)
	}
	reads := settings.Copy()
	reads.MaxConns, reads.MinConns, reads.MinIdleConns = readConnections, 0, 0
	settings.BeforeClose = func(conn *pgx.Conn) {
		if conn.IsClosed() { // lost, perhaps with commits
			s.cache.clear()
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, settings)
	if err != nil {
		return fmt.Errorf("open the database: %w", err)
	}
	s.lookups = make(chan struct{}, max(1, settings.MaxConns/2))
	s.pool = pool
	if s.reads, err = pgxpool.NewWithConfig(ctx, reads); err != nil {
		pool.Close()
		return fmt.Errorf("open the database: %w", err)
	}
	return nil
}

// resetPools closes every session, those in use when they are released.
func (s *Store) resetPools() {
	s.cache.clear()
	s.pool.Reset()
	s.reads.Reset()
}

// survey runs a read of many rows on one snapshot, with the planner left free. It has few connections: a caller that
// gets none in time gets record.ErrUnavailable.
func (s *Store) survey(ctx context.Context, read func(pgx.Tx) error) error {
	conn, release, err := s.acquireForReads(ctx)
	if err != nil {
		return err
	}
	defer release()
	options := pgx.TxOptions{BeginQuery: `begin isolation level repeatable read read only;
		set local enable_seqscan = on; set local enable_hashjoin = on; set local enable_mergejoin = on;
		set local plan_cache_mode = force_custom_plan; set local max_parallel_workers_per_gather = 0`}
	err = pgx.BeginTxFunc(ctx, conn, options, read)
	if hasCode(err, queryCanceled) {
		return fmt.Errorf("%w: the read took too long: %w", record.ErrUnavailable, err)
	}
	return err
}

// acquireForReads returns a connection for a slow read. If the server has no more connections, it takes one from the
// engine's pool; reads take at most half of those.
func (s *Store) acquireForReads(ctx context.Context) (conn *pgxpool.Conn, release func(), err error) {
	waiting, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	if conn, err = s.reads.Acquire(waiting); err == nil {
		return conn, conn.Release, nil
	}
	if hasCode(err, tooManyConnections) {
		select {
		case s.lookups <- struct{}{}:
			if conn, err = s.pool.Acquire(waiting); err == nil {
				return conn, func() { conn.Release(); <-s.lookups }, nil
			}
			<-s.lookups
		case <-waiting.Done():
		}
	}
	if waiting.Err() != nil {
		err = fmt.Errorf("%w: every connection for lists and counts is busy: %w", record.ErrUnavailable, err)
	}
	return nil, nil, err
}

// look runs a read of a few rows by their keys on the engine's pool, of which such reads take at most half. It
// completes even if the caller has gone: breaking off costs the connection.
func (s *Store) look(ctx context.Context, read func(ctx context.Context, q queryer) error) error {
	waiting, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	select {
	case s.lookups <- struct{}{}:
	case <-waiting.Done():
		return fmt.Errorf("%w: every connection for reads is busy: %w", record.ErrUnavailable, waiting.Err())
	}
	defer func() { <-s.lookups }()
	if err := ctx.Err(); err != nil {
		return err
	}
	conn, err := s.pool.Acquire(waiting)
	if err != nil {
		if waiting.Err() != nil {
			err = fmt.Errorf("%w: %w", record.ErrUnavailable, err)
		}
		return err
	}
	defer conn.Release()
	ending, end := context.WithTimeout(context.WithoutCancel(ctx), 2*statementTimeout)
	defer end()
	return read(ending, conn)
}

// Ping checks that the database accepts writes, that the tables are where this program looks for them, that they can be written, and
// that neither starts nor changes of sagas fail one after the other for a reason of the database.
func (s *Store) Ping(ctx context.Context) error {
	var readOnly bool
	err := s.pool.QueryRow(ctx, `select current_setting('transaction_read_only')::boolean`).Scan(&readOnly)
	if err == nil && readOnly {
		s.resetPools()
		err = errReadOnly
	}
	if err == nil {
		err = s.checkTables(ctx)
	}
	if err == nil {
		err = s.lackedRights(ctx, s.checkWritable(ctx))
	}
	if err == nil {
		now := time.Now()
		err = cmp.Or(objection(obstacleStarts, s.starts.check(now)), objection(obstacleChanges, s.changed.check(now)))
	}
	if err != nil {
		return fmt.Errorf("ping the database: %w", obstacleOf(err))
	}
	return nil
}

// Close waits for running statements and closes all connections.
func (s *Store) Close() error {
	s.kept.close()
	s.reads.Close()
	s.pool.Close()
	return nil
}
