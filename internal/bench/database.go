package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

// unique is a part of names that no other run has.
func unique() string { return strings.ToLower(rand.Text()[:10]) }

// createDatabase makes an empty database on the server of that URL, and returns its URL and what drops it.
func createDatabase(ctx context.Context, server string) (own string, drop func(context.Context) error, err error) {
	name := "orchestrator_bench_" + unique()
	if err := execute(ctx, server, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		return "", nil, fmt.Errorf("make a database for the run (the role must be allowed to): %w", err)
	}
	return withDatabase(server, name), func(ctx context.Context) error {
		if err := execute(ctx, server, "DROP DATABASE "+name+" WITH (FORCE)"); err != nil {
			return fmt.Errorf("drop the database of the run, %s: %w", name, err)
		}
		return nil
	}, nil
}

func execute(ctx context.Context, server, statement string) error {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect to Postgres: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("execute %q: %w", statement, err)
	}
	return nil
}

// withDatabase names another database in a connection string of either kind.
func withDatabase(server, name string) string {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return server + " dbname=" + name // keywords and values, of which the last counts
	}
	u.Path = "/" + name
	query := u.Query()
	query.Del("dbname") // it would outrank the path
	u.RawQuery = query.Encode()
	return u.String()
}
