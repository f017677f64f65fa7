package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/saga-orchestrator/orchestrator/client"
	"github.com/saga-orchestrator/orchestrator/internal/test/env"
	"github.com/saga-orchestrator/orchestrator/server"
)

// The program's Postgres and RabbitMQ hold the orchestrator, too: its tables in a schema of their own, its queues under a
// prefix. Workers in other processes get steps.AMQP with the same prefix.
func Example_postgresAndRabbitMQ() {
	databaseURL, amqpURL, prefix, done := servers() // DATABASE_URL and AMQP_URL of a program
	defer done()
	pool, err := pgxpool.New(context.Background(), databaseURL)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer pool.Close()
	if _, err := pool.Exec(context.Background(), "create schema if not exists orchestrator"); err != nil {
		fmt.Println(err)
		return
	}
	orchestrator, err := server.Open(context.Background(), server.Config{
		DatabaseURL: inSchema(databaseURL, "orchestrator"), Migrate: true,
		AMQPURL: amqpURL, AMQPPrefix: prefix, NoListener: true, Auth: "none",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	own := httptest.NewServer(orchestrator.Handler()) // stands for the program's http.Server
	defer own.Close()
	transfers := transferSaga()
	stop := run(orchestrator, transfers.Serve)
	defer stop()

	c := client.New(client.Config{Server: own.URL, HTTP: own.Client()})
	if _, err := transfers.Register(context.Background(), c); err != nil {
		fmt.Println(err)
		return
	}
	moved, err := transfers.Run(context.Background(), c, Transfer{Amount: 40})
	fmt.Println(moved.Booking, err)

	var sagas, tables int
	err = pool.QueryRow(context.Background(), `select (select count(*) from orchestrator.sagas),
		(select count(*) from pg_tables where schemaname = 'public')`).Scan(&sagas, &tables)
	fmt.Println("sagas:", sagas, "tables in the program's schema:", tables, err)
	// Output:
	// withdrawal of 40 <nil>
	// sagas: 1 tables in the program's schema: 0 <nil>
}

// inSchema makes a schema the first of the search path.
func inSchema(databaseURL, schema string) string {
	parsed, err := url.Parse(databaseURL)
	if err != nil {
		panic(err)
	}
	query := parsed.Query()
	query.Set("search_path", schema)
	parsed.RawQuery = query.Encode()
	return parsed.String()
}

// example stands in for the test that package env wants and an example does not have.
type example struct {
	testing.TB
	cleanups []func()
}

func (e *example) Helper()                           {}
func (e *example) Cleanup(f func())                  { e.cleanups = append(e.cleanups, f) }
func (e *example) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (e *example) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// servers returns a new database and a broker with a prefix of its own.
func servers() (databaseURL, amqpURL, prefix string, done func()) {
	e := &example{}
	databaseURL = env.Database(e)
	amqpURL, prefix = env.Broker(e)
	return databaseURL, amqpURL, prefix, func() {
		http.DefaultClient.CloseIdleConnections()
		for _, cleanup := range e.cleanups {
			cleanup()
		}
	}
}
