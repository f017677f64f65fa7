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
	return withProvider(databaseURL, func(p *goose.Provider) error {
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
	return withProvider(databaseURL, func(p *goose.Provider) error {
		if _, err := p.Down(ctx); err != nil {
			return fmt.Errorf("migrate down: %w", err)
		}
		return nil
	})
}

// MigrationStatus returns the migrations of this program in their order.
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
	if pooled(settings) {
		return errMigratePooled
	}
	settings.RuntimeParams["timezone"], settings.RuntimeParams["standard_conforming_strings"] = "UTC", "on"
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
