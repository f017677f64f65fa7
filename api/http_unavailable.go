package api

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// unavailable reports whether an error comes from a timeout or from the servers below, so that a retry may help. It
// inspects errors by interface, because the API does not import the database driver.
func unavailable(err error) bool {
	var (
		network    net.Error
		retryable  interface{ SafeToRetry() bool }
		statement  interface{ SQLState() string }
		disconnect *net.OpError
	)
	switch {
	case errors.Is(err, record.ErrUnavailable), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return true
	case errors.As(err, &statement):
		return transientState(statement.SQLState())
	case errors.As(err, &network), errors.As(err, &disconnect), errors.Is(err, net.ErrClosed):
		return true
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return true
	default:
		return errors.As(err, &retryable)
	}
}

// transientState reports whether an SQLSTATE concerns the server and not the statement: connection, authorization, missing
// database, schema, table, column or right, conflicts, resources, operator intervention, system.
func transientState(state string) bool {
	for _, class := range []string{"08", "25", "28", "3D", "3F", "40", "42501", "42P01", "42703", "53", "55", "57", "58"} {
		if strings.HasPrefix(state, class) {
			return true
		}
	}
	return false
}
