package steps_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/saga-orchestrator/orchestrator/internal/test/env"
)

// example stands in for the test that package env wants and an example does not have.
type example struct {
	testing.TB
	cleanups []func()
}

func (e *example) Helper()                           {}
func (e *example) Cleanup(f func())                  { e.cleanups = append(e.cleanups, f) }
func (e *example) Errorf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }
func (e *example) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// end runs the cleanups.
func (e *example) end() {
	for _, cleanup := range e.cleanups {
		cleanup()
	}
}

// chargesDatabase returns a new database with a table of charges.
func chargesDatabase() (pool *pgxpool.Pool, drop func()) {
	e := &example{}
	pool, err := pgxpool.New(context.Background(), env.Database(e))
	if err == nil {
		_, err = pool.Exec(context.Background(), "CREATE TABLE charges (order_id text)")
	}
	if err != nil {
		panic(err)
	}
	return pool, func() {
		pool.Close()
		e.end()
	}
}
