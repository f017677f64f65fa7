package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"github.com/saga-orchestrator/orchestrator/migrations"
)

// ErrSchemaBehind means that the database lacks migrations which this program needs.
var ErrSchemaBehind = errors.New("the database's schema is behind this program")

// A replica waits this long for another one that migrates, asking once a second.
const migrationLockProbes = 300

// Migration is one step of the schema.
type Migration struct {
	Version   int64
	Name      string
	AppliedAt time.Time // zero: not applied
}

// Migrate brings the schema up to date. Replicas that do so at once take turns.
func Migrate(ctx context.Context, databaseURL string) error {
	return withProvider(databaseURL, func(p *goose.Provider) error {
		if _, err := p.Up(ctx); err != nil {
			return fmt.Errorf("migrate up: %w", err)
		}
		return nil
	})
}

// MigrateDown takes the last migration back, and with the first one everything that is stored.
func MigrateDown(ctx context.Context, databaseURL string) error {
	return withProvider(databaseURL, func(p *goose.Provider) error {
		if _, err := p.Down(ctx); err != nil {
			return fmt.Errorf("migrate down: %w", err)
		}
		return nil
	})
}

// MigrationStatus lists the migrations of this program, in their order.
func MigrationStatus(ctx context.Context, databaseURL string) ([]Migration, error) {
	var list []Migration
	err := withProvider(databaseURL, func(p *goose.Provider) error {
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

func withProvider(databaseURL string, use func(*goose.Provider) error) (err error) {
	settings, err := parseConnection(databaseURL)
	if err != nil {
		return err
	}
	settings.RuntimeParams["timezone"] = "UTC"
	db := stdlib.OpenDB(*settings)
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := takeOverVersions(db); err != nil {
		return fmt.Errorf("prepare the table of schema versions: %w", err)
	}
	provider, err := newProvider(db)
	if err != nil {
		return fmt.Errorf("prepare the migrations: %w", err)
	}
	return use(provider)
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
