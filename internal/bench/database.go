package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

// unique returns a random part of a name, which no other run has.
func unique() string { return strings.ToLower(rand.Text()[:10]) }

// createDatabase creates an empty database on the server of that URL. It returns the database's URL and a function that
// drops it.
func createDatabase(ctx context.Context, server string) (own string, drop func(context.Context) error, err error) {
	name := "orchestrator_bench_" + unique()
	if err := execute(ctx, server, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		return "", nil, fmt.Errorf("create a database for the run (the role needs CREATEDB): %w", err)
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

// withDatabase returns the connection string, a URL or keywords and values, with another database name.
func withDatabase(server, name string) string {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return server + " dbname=" + name // keywords and values: the last one wins
	}
	u.Path = "/" + name
	query := u.Query()
	query.Del("dbname") // it would take precedence over the path
	u.RawQuery = query.Encode()
	return u.String()
}
