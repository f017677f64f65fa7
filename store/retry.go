package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/internal/wait"
)

const (
	maxTries     = 6 // including the first
	firstBackoff = 2 * time.Millisecond
)

// Codes of errors after which the transaction is rolled back and may succeed on a retry. A unique violation is
// such an error, since an earlier commit of the same start may have been in progress; so is a read-only session, which is
// closed.
const (
	tooManyConnections   = "53300"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	uniqueViolation      = "23505"
	undefinedTable       = "42P01"
	readOnlyTransaction  = "25006"
	lockNotAvailable     = "55P03"
	queryCanceled        = "57014"
	notNullViolation     = "23502"
	checkViolation       = "23514"
	// insufficientPrivilege is also the code of a row that a policy refuses.
	insufficientPrivilege = "42501"
	duplicateTable        = "42P07"
	duplicateObject       = "42710"
)

// errVanished means that a conflicting row was gone when it was read.
var errVanished = errors.New("a key was released while it was being claimed")

// retried calls try until it succeeds, fails finally, or has failed maxTries times. It retries only failures after
// which certainly nothing is committed; pgconn.SafeToRetry does not distinguish them.
func retried(ctx context.Context, try func() error) error {
	backoff := firstBackoff
	for n := 1; ; n++ {
		err := try()
		if err == nil || n == maxTries || !rolledBack(err) {
			return err
		}
		if !wait.For(ctx, backoff/2+rand.N(backoff)) { //nolint:gosec // jitter is not a secret
			return err
		}
		backoff *= 2
	}
}

func rolledBack(err error) bool {
	if _, decided := errors.AsType[decideError](err); decided {
		return false
	}
	return errors.Is(err, errVanished) || hasCode(err, serializationFailure) || hasCode(err, deadlockDetected) ||
		hasCode(err, uniqueViolation) || hasCode(err, readOnlyTransaction)
}

// isDataFault reports whether a statement failed over a value in a row.
func isDataFault(err error) bool {
	var answered *pgconn.PgError
	return errors.As(err, &answered) && strings.HasPrefix(answered.Code, "22")
}

// fatal reports whether the error ended the session.
func fatal(answered *pgconn.PgError) bool {
	return answered.SeverityUnlocalized == "FATAL" || answered.SeverityUnlocalized == "PANIC"
}

func hasCode(err error, code string) bool {
	var refused *pgconn.PgError
	return errors.As(err, &refused) && refused.Code == code
}

// refused marks an error that means that the server can never accept the data: its types cannot hold it, or it violates
// a constraint.
func refused(err error) error {
	var said *pgconn.PgError
	if errors.As(err, &said) && (strings.HasPrefix(said.Code, "22") || said.Code == checkViolation || said.Code == uniqueViolation) {
		return fmt.Errorf("%w: %w", record.ErrRejected, err)
	}
	return err
}
