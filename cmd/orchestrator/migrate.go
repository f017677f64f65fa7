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
	databaseFlags `embed:""`

	Up     migrateUpCommand     `cmd:"" help:"Apply all pending migrations."`
	Down   migrateDownCommand   `cmd:"" help:"Revert the last migration. The data in its tables is lost."`
	Status migrateStatusCommand `cmd:"" help:"List the migrations and whether they are applied."`
}

// AfterApply refuses an empty URL, which would select the default database.
func (c *migrateCommand) AfterApply() error {
	if err := readFiles(&c.databaseFlags); err != nil {
		return err
	}
	if c.DatabaseURL == "" {
		return errors.New("--database-url or --database-url-file must be set")
	}
	return nil
}

type migrateUpCommand struct{}

// Run applies all pending migrations.
func (migrateUpCommand) Run(ctx context.Context, c *migrateCommand, out *streams) error {
	if err := store.Migrate(ctx, c.DatabaseURL); err != nil {
		return err
	}
	fmt.Fprintln(out.out, "the schema is up to date")
	return nil
}

type migrateDownCommand struct{}

// Run reverts one migration.
func (migrateDownCommand) Run(ctx context.Context, c *migrateCommand, out *streams) error {
	if err := store.MigrateDown(ctx, c.DatabaseURL); err != nil {
		return err
	}
	fmt.Fprintln(out.out, "reverted the last migration")
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
