package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/saga-orchestrator/orchestrator/migrations"
)

// ErrSchemaBehind means that the database lacks migrations that this program needs.
var ErrSchemaBehind error = schemaBehind{}

type schemaBehind struct{}

func (schemaBehind) Error() string { return "the database's schema is behind this program" }

// Public returns a text that anyone may read.
func (s schemaBehind) Public() string { return s.Error() }

// A replica probes once a second while another one migrates.
const migrationLockProbes = 300

// Migration is a migration of the schema.
type Migration struct {
	Version   int64
	Name      string
	AppliedAt time.Time // zero: not applied
}

// Migrate applies all missing migrations. Concurrent replicas take turns.
func Migrate(ctx context.Context, databaseURL string) error {
	return withProvider(ctx, databaseURL, func(p *goose.Provider) error {
		_, err := p.Up(ctx)
		if hasCode(err, duplicateTable) || hasCode(err, duplicateObject) {
			err = fmt.Errorf("another program has something of this name here, so use a database or a schema of its own: %w", err)
		}
		if err != nil {
			return fmt.Errorf("migrate up: %w", err)
		}
		return nil
	})
}

// MigrateDown reverts the last migration. Reverting the first one deletes all data.
func MigrateDown(ctx context.Context, databaseURL string) error {
	return withProvider(ctx, databaseURL, func(p *goose.Provider) error {
		if _, err := p.Down(ctx); err != nil {
			return fmt.Errorf("migrate down: %w", err)
		}
		return nil
	})
}

// MigrationStatus returns the migrations of this program in their order.
func MigrationStatus(ctx context.Context, databaseURL string) ([]Migration, error) {
	var list []Migration
	err := withProvider(ctx, databaseURL, func(p *goose.Provider) error {
		status, err := p.Status(ctx)
		if err != nil {
			return fmt.Errorf("read the migration status: %w", err)
		}
		for _, m := range status {
			list = append(list, Migration{Version: m.Source.Version, Name: m.Source.Path, AppliedAt: m.AppliedAt.UTC()})
		}
		return nil
	})
	return list, err
}

// sessionLimits are the settings of a role that would end the session of a migration, which may wait for others and work for long.
const sessionLimits = `select set_config(name, '0', false) from pg_settings
	where name in ('statement_timeout', 'lock_timeout', 'transaction_timeout', 'idle_session_timeout', 'idle_in_transaction_session_timeout')`

// withoutLimits lifts the limits that a role may have for its sessions. Servers know them from different versions on.
func withoutLimits(ctx context.Context, conn *pgx.Conn) error {
	if _, err := conn.Exec(ctx, sessionLimits); err != nil {
		return fmt.Errorf("lift the limits of the session: %w", err)
	}
	return nil
}

func withProvider(ctx context.Context, databaseURL string, use func(*goose.Provider) error) (err error) {
	settings, err := parseConnection(databaseURL)
	if err != nil {
		return err
	}
	if pooled(settings) {
		return errMigratePooled
	}
	settings.RuntimeParams["timezone"], settings.RuntimeParams["standard_conforming_strings"] = "UTC", "on"
	settings.RuntimeParams["statement_timeout"] = "0" // already while the others are lifted
	settings.DialFunc = dialUntil(ctx, settings.DialFunc)
	db := stdlib.OpenDB(*settings, stdlib.OptionAfterConnect(withoutLimits))
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := takeOverVersions(ctx, db); err != nil {
		return fmt.Errorf("prepare the table of schema versions: %w", err)
	}
	provider, err := newProvider(db)
	if err != nil {
		return fmt.Errorf("prepare the migrations: %w", err)
	}
	return use(provider)
}

// unlockPatience is how long the release of the lock may take once the command is to end: goose does it without a context.
const unlockPatience = 3 * time.Second

// dialUntil closes connections shortly after ctx has ended, even if a server that has fallen silent is awaited.
func dialUntil(ctx context.Context, dial pgconn.DialFunc) pgconn.DialFunc {
	return func(dialling context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(dialling, network, address)
		if err == nil {
			context.AfterFunc(ctx, func() { time.AfterFunc(unlockPatience, func() { _ = conn.Close() }) })
		}
		return conn, err
	}
}

func newProvider(db *sql.DB) (*goose.Provider, error) {
	locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, migrationLockProbes))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, migrations.FS, goose.WithTableName(versionTable),
		goose.WithSessionLocker(locker), goose.WithDisableGlobalRegistry(true))
}

func newestMigration() (int64, error) {
	files, err := fs.Glob(migrations.FS, "*.sql")
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("list the embedded migrations: %w", errors.Join(err, fs.ErrNotExist))
	}
	version, err := goose.NumericComponent(files[len(files)-1])
	if err != nil {
		return 0, fmt.Errorf("read the version of migration %s: %w", files[len(files)-1], err)
	}
	return version, nil
}
