package store

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrPooler means that the sessions lack settings that the store needs, because a pooler stands in between.
var ErrPooler = errors.New("a connection pooler keeps the settings of sessions away")

// errMigratePooled means that migrations were asked for through a pooler.
var errMigratePooled = errors.New("migrations need a direct connection to Postgres: their lock belongs to a session. " +
	"Run `orchestrator migrate up` with a URL of Postgres itself, without default_query_exec_mode")

// Every statement of the hot path finds its rows by a key. On an empty table, or one without statistics, the planner would
// choose a scan and keep that plan while the table grows. survey reverts these settings.
func sessionSettings() map[string]string {
	return map[string]string{
		"statement_timeout":                   milliseconds(statementTimeout),
		"lock_timeout":                        milliseconds(lockTimeout),
		"idle_in_transaction_session_timeout": milliseconds(idleInTxTimeout),
		"enable_seqscan":                      "off",
		"enable_hashjoin":                     "off",
		"enable_mergejoin":                    "off",
		"jit":                                 "off",
	}
}

// pooled reports whether the URL says that its server pools transactions: it then sets a default_query_exec_mode, which does
// without prepared statements. Such a pooler takes no settings at the start of a session; they belong to the role.
func pooled(settings *pgx.ConnConfig) bool {
	return settings.DefaultQueryExecMode != pgx.QueryExecModeCacheStatement
}

// checkSessions returns ErrPooler, with what to do, if a session has other settings than the store needs.
func (s *Store) checkSessions(ctx context.Context) error {
	wanted := sessionSettings()
	rows, err := s.pool.Query(ctx, `select name, setting || coalesce(unit, '') from pg_settings where name = any($1)`,
		slices.Collect(maps.Keys(wanted)))
	if err != nil {
		return fmt.Errorf("read the settings of the session: %w", poolerFault(err))
	}
	var name, value string
	_, err = pgx.ForEachRow(rows, []any{&name, &value}, func() error {
		if wanted[name] == value {
			delete(wanted, name)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the settings of the session: %w", poolerFault(err))
	}
	if len(wanted) > 0 {
		return fmt.Errorf("%w: %s. %s", ErrPooler, "the session is without "+strings.Join(slices.Sorted(maps.Keys(wanted)), ", "),
			roleHint(s.pool.Config().ConnConfig))
	}
	return nil
}

// poolerFault adds what to do to the error of a pooler that refuses the settings of a session.
func poolerFault(err error) error {
	var answered *pgconn.PgError
	if errors.As(err, &answered) && strings.Contains(answered.Message, "unsupported startup parameter") {
		return fmt.Errorf("%w: %w. Add ?default_query_exec_mode=cache_describe to the database URL and give the settings to the role, "+
			"or connect to Postgres directly; docs/operations.md has both", ErrPooler, err)
	}
	return err
}

// roleHint returns the statement that gives the settings to the role.
func roleHint(settings *pgx.ConnConfig) string {
	role := pgx.Identifier{settings.User}.Sanitize()
	var statements []string
	wanted := sessionSettings()
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		statements = append(statements, fmt.Sprintf("alter role %s set %s = '%s';", role, name, wanted[name]))
	}
	return "Run this and let the pooler reconnect: " + strings.Join(statements, " ")
}
