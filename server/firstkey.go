package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/saga-orchestrator/orchestrator/api"
	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// FirstKey creates a key for an admin if there is none yet, and returns its secret; empty: there is a key. Without one no caller can
// call an API that asks for keys, not even to create the first.
func (s *Server) FirstKey(ctx context.Context, name string) (secret string, err error) {
	keys, err := s.store.Keys(ctx)
	if err != nil || len(keys) > 0 {
		return "", err
	}
	key, secret, faults := api.NewKey(resource.NewKey{Name: name, Role: "admin"}, time.Now())
	if len(faults) > 0 {
		return "", errors.New(faults[0].Message)
	}
	if err := s.store.CreateKey(ctx, key); err != nil {
		return "", fmt.Errorf("create the first key: %w", err)
	}
	return secret, nil
}
