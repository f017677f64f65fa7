package system

import (
	"context"
	"fmt"
	"maps"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Pool opens a pool of size connections to the system's database, with these session settings. On two cores, more than
// about 16 connections cost more in context switches than they gain in group commits.
func Pool(ctx context.Context, url string, size int32, settings map[string]string) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("parse the database's URL: %w", err)
	}
	config.MaxConns = size
	maps.Copy(config.ConnConfig.RuntimeParams, settings)
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to the database: %w", err)
	}
	return pool, nil
}

// Count returns the tally of a query that selects outcomes and their numbers of sagas.
func Count(ctx context.Context, pool *pgxpool.Pool, query string) (Tally, error) {
	rows, err := pool.Query(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("count the sagas: %w", err)
	}
	defer rows.Close()
	tally := Tally{}
	for rows.Next() {
		var end End
		var n int64
		if err := rows.Scan(&end, &n); err != nil {
			return nil, fmt.Errorf("count the sagas: %w", err)
		}
		tally[end] = n
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("count the sagas: %w", err)
	}
	return tally, nil
}
