package env

import (
	"context"
	"fmt"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Database creates an empty database on the server of DATABASE_URL and returns its URL. The database is dropped when
// the test ends, even if it has connections.
func Database(t testing.TB) string {
	t.Helper()
	server := require(t, "DATABASE_URL", "Postgres")
	name := "test_" + unique()
	own, err := withDatabase(server, name)
	if err != nil {
		t.Fatalf("read DATABASE_URL: %v", err)
	}
	// template0, because template1 may have been changed.
	if err := execute(server, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		t.Fatalf("create a database for the test: %v", err)
	}
	t.Cleanup(func() {
		if err := execute(server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("drop the database of the test: %v", err)
		}
	})
	return own
}

// withDatabase returns the server's URL with another database's name in it.
func withDatabase(server, name string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", fmt.Errorf("parse the URL: %w", err)
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", fmt.Errorf("want postgres://user:password@host:port/database, have scheme %q", u.Scheme)
	}
	u.Path = "/" + name
	query := u.Query()
	query.Del("dbname") // it would override the path
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// execute runs one statement on its own connection. It does not use the test's context, which has ended by cleanup.
func execute(server, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect to Postgres: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("execute %q: %w", statement, err)
	}
	return nil
}
