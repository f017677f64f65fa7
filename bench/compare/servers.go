package compare

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"

	"github.com/saga-orchestrator/orchestrator/bench/system"
)

// Servers names the Postgres and RabbitMQ servers that all systems share.
type Servers struct {
	DatabaseURL string
	AMQPURL     string
}

// Place creates an empty database for one run and returns it with a unique prefix on the broker. remove drops the database;
// the system must remove its queues itself.
func (s Servers) Place(ctx context.Context, name string) (place system.Place, remove func(context.Context) error, err error) {
	own := fmt.Sprintf("bench_%s_%s", strings.ReplaceAll(name, "-", "_"), strings.ToLower(rand.Text()[:8]))
	address, err := url.Parse(s.DatabaseURL)
	if err != nil {
		return place, nil, fmt.Errorf("parse the URL of Postgres: %w", err)
	}
	address.Path = "/" + own
	if err := s.execute(ctx, "CREATE DATABASE "+own+" TEMPLATE template0"); err != nil {
		return place, nil, fmt.Errorf("create a database for %s: %w", name, err)
	}
	remove = func(ctx context.Context) error {
		if err := s.execute(ctx, "DROP DATABASE "+own+" WITH (FORCE)"); err != nil {
			return fmt.Errorf("drop the database of %s: %w", name, err)
		}
		return nil
	}
	return system.Place{DatabaseURL: address.String(), AMQPURL: s.AMQPURL, Prefix: own}, remove, nil
}

func (s Servers) execute(ctx context.Context, statement string) error {
	db, err := pgx.Connect(ctx, s.DatabaseURL)
	if err != nil {
		return fmt.Errorf("connect to Postgres: %w", err)
	}
	defer db.Close(ctx)
	_, err = db.Exec(ctx, statement)
	return err
}

// Describe returns the versions and settings of the servers. It returns an error if Postgres may lose what it acknowledged.
func (s Servers) Describe(ctx context.Context) (Machine, error) {
	m := thisMachine()
	db, err := pgx.Connect(ctx, s.DatabaseURL)
	if err != nil {
		return m, fmt.Errorf("connect to Postgres: %w", err)
	}
	defer db.Close(ctx)
	for name, value := range map[string]*string{
		"server_version": &m.Postgres, "synchronous_commit": &m.SynchronousCommit, "fsync": &m.Fsync,
	} {
		if err := db.QueryRow(ctx, "SELECT current_setting($1)", name).Scan(value); err != nil {
			return m, fmt.Errorf("ask Postgres for %s: %w", name, err)
		}
	}
	if m.SynchronousCommit != "on" || m.Fsync != "on" {
		return m, fmt.Errorf("a comparison needs a durable Postgres: synchronous_commit is %s and fsync is %s, both must be on",
			m.SynchronousCommit, m.Fsync)
	}
	conn, err := amqp.Dial(s.AMQPURL)
	if err != nil {
		return m, fmt.Errorf("connect to RabbitMQ: %w", err)
	}
	defer conn.Close()
	m.RabbitMQ = fmt.Sprint(conn.Properties["version"])
	return m, nil
}
