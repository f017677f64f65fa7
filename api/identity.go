package api

import (
	"context"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

type identityKey struct{}

// WithIdentity returns a context for the calls of an operator with that name and role, whom an issuer has signed in, or of the
// program itself. Only this process can make such a call: a request from outside brings no context.
func WithIdentity(ctx context.Context, id, name string, role record.Role) context.Context {
	return context.WithValue(ctx, identityKey{}, record.Key{ID: id, Name: name, Role: role})
}

// identityOf returns the key that stands for the identity of the context.
func identityOf(ctx context.Context) (key record.Key, known bool) {
	key, known = ctx.Value(identityKey{}).(record.Key)
	return key, known
}
