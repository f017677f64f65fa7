package store

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// Kinds of obstacles, in words that anyone may read.
const (
	obstacleReadOnly = "the database is read-only"
	obstacleRights   = "the database refuses the rights that the orchestrator needs"
	obstacleUser     = "the database refuses the user"
	obstacleRoom     = "the database has no connection left"
	obstacleLock     = "a table is locked"
	obstacleSlow     = "the database does not answer in time"
	obstacleStarts   = "the database refuses starts"
	obstacleChanges  = "the database refuses changes of sagas"
	obstacleOther    = "the database refuses what the orchestrator needs"
)

// obstacle is what a database that can be reached objects to.
type obstacle struct {
	kind  string
	cause error
}

func (o obstacle) Error() string { return o.cause.Error() }

func (o obstacle) Unwrap() error { return o.cause }

// Public returns the kind of obstacle, which names nothing of this installation.
func (o obstacle) Public() string { return o.kind }

// objection gives an error a kind of obstacle.
func objection(kind string, err error) error {
	if err == nil {
		return nil
	}
	return obstacle{kind, err}
}

// obstacleOf adds the kind of obstacle to the error of a ping, unless it has one or the database cannot be reached.
func obstacleOf(err error) error {
	var public interface{ Public() string }
	if err == nil || errors.As(err, &public) {
		return err
	}
	if errors.Is(err, errReadOnly) || errors.Is(err, pgconn.ErrReadOnlyConnection) {
		return objection(obstacleReadOnly, err)
	}
	answered, is := errors.AsType[*pgconn.PgError](err)
	if !is {
		return err
	}
	switch code := answered.Code; {
	case code == readOnlyTransaction:
		return objection(obstacleReadOnly, err)
	case code == insufficientPrivilege:
		return objection(obstacleRights, err)
	case code == tooManyConnections:
		return objection(obstacleRoom, err)
	case code == lockNotAvailable:
		return objection(obstacleLock, err)
	case code == queryCanceled:
		return objection(obstacleSlow, err)
	case strings.HasPrefix(code, "28"): // authorization
		return objection(obstacleUser, err)
	case strings.HasPrefix(code, "57") || strings.HasPrefix(code, "08"): // it starts, stops or ends connections
		return err
	}
	return objection(obstacleOther, err)
}

// lackedRights marks an error of checkWritable that is not an answer of the server if the role lacks rights.
func (s *Store) lackedRights(ctx context.Context, err error) error {
	if _, answered := errors.AsType[*pgconn.PgError](err); err == nil || answered || errors.Is(err, record.ErrUnavailable) {
		return err
	}
	var missing []string
	if s.pool.QueryRow(ctx, missingRights).Scan(&missing) == nil && len(missing) > 0 {
		return objection(obstacleRights, err)
	}
	return err
}
