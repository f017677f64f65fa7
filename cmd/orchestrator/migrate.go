package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/saga-orchestrator/orchestrator/store"
)

// migrateCommand is `orchestrator migrate`: the schema of the database.
type migrateCommand struct {
	DatabaseURL string `required:"" env:"DATABASE_URL" help:"Postgres that keeps the sagas."`

	Up     migrateUpCommand     `cmd:"" help:"Bring the schema up to date."`
	Down   migrateDownCommand   `cmd:"" help:"Take the last migration back; what its tables hold is lost."`
	Status migrateStatusCommand `cmd:"" help:"Show which migrations are applied."`
}

// Validate is called by the parser. A variable that is set, but empty, would lead to whatever database is the default.
func (c *migrateCommand) Validate() error {
	if c.DatabaseURL == "" {
		return errors.New("--database-url must not be empty")
	}
	return nil
}

type migrateUpCommand struct{}

// Run applies every migration that is missing.
func (migrateUpCommand) Run(ctx context.Context, c *migrateCommand, out *streams) error {
	if err := store.Migrate(ctx, c.DatabaseURL); err != nil {
		return err
	}
	fmt.Fprintln(out.out, "the schema is up to date")
	return nil
}

type migrateDownCommand struct{}

// Run takes one migration back.
func (migrateDownCommand) Run(ctx context.Context, c *migrateCommand, out *streams) error {
	if err := store.MigrateDown(ctx, c.DatabaseURL); err != nil {
		return err
	}
	fmt.Fprintln(out.out, "the last migration is taken back")
	return nil
}

type migrateStatusCommand struct{}

// Run lists the migrations.
func (migrateStatusCommand) Run(ctx context.Context, c *migrateCommand, out *streams) error {
	migrations, err := store.MigrationStatus(ctx, c.DatabaseURL)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(out.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "VERSION\tFILE\tAPPLIED")
	for _, m := range migrations {
		applied := "no"
		if !m.AppliedAt.IsZero() {
			applied = m.AppliedAt.UTC().Format("2006-01-02 15:04:05Z")
		}
		fmt.Fprintf(table, "%d\t%s\t%s\n", m.Version, m.Name, applied)
	}
	return table.Flush()
}
