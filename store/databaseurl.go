package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

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
	if rest, isURL := authority(databaseURL); isURL {
		if name := badParameter(rest); name != "" {
			return fmt.Errorf("%w: parameter %s has no valid value; %s", ErrDatabaseURL, name, hintURL)
		}
		return fmt.Errorf("%w: %s", ErrDatabaseURL, hintURL)
	}
	return fmt.Errorf("%w: %s", ErrDatabaseURL, hintKeywords)
}

// badParameter returns the name of a parameter that the driver refuses, if it is a common one.
func badParameter(rest string) string {
	_, query, _ := strings.Cut(rest, "?")
	given, err := url.ParseQuery(query)
	if err != nil {
		return ""
	}
	for _, one := range []struct {
		name  string
		valid func(string) bool
	}{
		{"sslmode", isMode},
		{"connect_timeout", isNumber},
		{"pool_max_conns", isNumber},
		{"pool_min_conns", isNumber},
		{"pool_max_conn_lifetime", isDuration},
		{"pool_max_conn_idle_time", isDuration},
		{"pool_health_check_period", isDuration},
	} {
		if given.Has(one.name) && !one.valid(given.Get(one.name)) {
			return one.name
		}
	}
	return ""
}

func isMode(text string) bool {
	return slices.Contains([]string{"disable", "allow", "prefer", "require", "verify-ca", "verify-full"}, text)
}

func isNumber(text string) bool {
	_, err := strconv.ParseUint(text, 10, 31)
	return err == nil
}

func isDuration(text string) bool {
	_, err := time.ParseDuration(text)
	return err == nil
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
