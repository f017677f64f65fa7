package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// ErrDatabaseURL means that a database URL is malformed.
var ErrDatabaseURL = errors.New("the database URL is not valid")

const (
	hintURL = `it must be like postgres://user:password@host:5432/database?sslmode=require; write special characters ` +
		`in the user and the password as %XX, such as %40 for @, %2F for /, %3F for ?, %23 for # and %25 for %`
	hintKeywords = `it must be like host=db user=app password='pass word' dbname=sagas; put a value with spaces in ` +
		`single quotes, with \' for ' and \\ for \ in it; or use the form postgres://…, with special characters as %XX`
)

// CheckDatabaseURL returns ErrDatabaseURL for a URL that is malformed or that the driver would read in another way than it is meant. Call
// it before the driver: errors of the driver name what it takes for the host.
func CheckDatabaseURL(databaseURL string) error {
	_, err := parseConnection(databaseURL)
	return err
}

// parsePool parses a database URL for a pool. Its error repeats no part of the URL: if the password is not encoded, any
// part may belong to it.
func parsePool(databaseURL string) (*pgxpool.Config, error) {
	if err := checkURL(databaseURL); err != nil {
		return nil, err
	}
	settings, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return nil, urlFault(databaseURL)
	}
	settings.ConnConfig.ValidateConnect = onlyReadWrite
	return settings, nil
}

// parseConnection parses a database URL for a single connection, like parsePool.
func parseConnection(databaseURL string) (*pgx.ConnConfig, error) {
	if err := checkURL(databaseURL); err != nil {
		return nil, err
	}
	settings, err := pgx.ParseConfig(databaseURL)
	if err != nil {
		return nil, urlFault(databaseURL)
	}
	settings.ValidateConnect = onlyReadWrite
	return settings, nil
}

// onlyReadWrite refuses a session that cannot write, for example on a standby. Callers should retry: a standby may be
// promoted.
func onlyReadWrite(ctx context.Context, conn *pgconn.PgConn) error {
	if err := pgconn.ValidateConnectTargetSessionAttrsReadWrite(ctx, conn); err != nil {
		return fmt.Errorf("%w: %w", record.ErrUnavailable, err)
	}
	return nil
}

// checkURL refuses a URL whose password ends the user part or the authority early: the driver would take the rest for the host or
// the database, and name it in errors.
func checkURL(databaseURL string) error {
	rest, isURL := authority(databaseURL)
	if !isURL {
		if scheme, _, found := strings.Cut(databaseURL, "://"); found && !strings.Contains(scheme, "=") {
			return urlFault(databaseURL) // the driver would read it as keywords, and connect to a server of this machine
		}
		return nil
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	if strings.Count(rest[:end], "@") > 1 || strings.Contains(rest[end:], "@") {
		return urlFault(databaseURL)
	}
	return nil
}

func urlFault(databaseURL string) error {
	if _, isURL := authority(databaseURL); isURL {
		return fmt.Errorf("%w: %s", ErrDatabaseURL, hintURL)
	}
	return fmt.Errorf("%w: %s", ErrDatabaseURL, hintKeywords)
}

// authority returns the part after a URL's scheme.
func authority(databaseURL string) (rest string, isURL bool) {
	for _, scheme := range []string{"postgres://", "postgresql://"} {
		if rest, isURL = strings.CutPrefix(databaseURL, scheme); isURL {
			return rest, true
		}
	}
	return "", false
}
