package api

import (
	"context"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// maxDefinitions bounds the cache of definitions.
const maxDefinitions = 1000

// show returns the saga as the API shows it.
func (s *service) show(ctx context.Context, in saga.Instance) (resource.Saga, error) {
	return s.view(ctx, record.StoredSaga{Instance: in})
}

// saga reads a saga. The error of an unreadable one is record.ErrUnreadable.
func (s *service) saga(ctx context.Context, id string) (saga.Instance, error) {
	found, err := s.Reads.Saga(ctx, id)
	if err != nil {
		return saga.Instance{}, err
	}
	return found.Instance, found.Unreadable
}
