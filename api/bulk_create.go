package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/oklog/ulid/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// bulkAnswers returns the answers to a bulk action: it is a dry run, it was begun before, or it begins.
func bulkAnswers() answers {
	return answers{http.StatusOK: either{resource.DryRun{}, resource.BulkAction{}}, http.StatusAccepted: resource.BulkAction{}}
}

// createBulk stores a bulk action, or finds the one of the idempotency key. An empty key means none.
func (s *service) createBulk(
	ctx context.Context, key string, given any, action record.BulkAction, targets record.BulkTargets,
) (*bulkOutput, error) {
	action.ID, action.Actor = ulid.Make().String(), actor(ctx)
	if key != "" {
		hash, err := bulkHash(ctx, given)
		if err != nil {
			return nil, err
		}
		action.IdempotencyKey, action.RequestHash = key, hash
	}
	created, err := s.Bulks.CreateBulk(record.WithReason(ctx, action.Reason), action, targets)
	if err != nil {
		return nil, err
	}
	if created.ID != action.ID { // that of the key
		return &bulkOutput{Status: http.StatusOK, Body: showBulk(created)}, nil
	}
	return &bulkOutput{Status: http.StatusAccepted, Location: "/v1/actions/" + created.ID, Body: showBulk(created)}, nil
}

// bulkHash hashes the decoded request with the members of its objects sorted, as startHash does. A caller whose key is limited
// to definitions is part of its request: the same body selects other targets for another key, and must not show whether
// that key has asked for them.
func bulkHash(ctx context.Context, given any) ([]byte, error) {
	text, err := json.Marshal(given)
	if err == nil {
		text, err = canonicalJSON(text)
	}
	if err != nil {
		return nil, fmt.Errorf("hash a bulk action: %w", err)
	}
	if caller, _ := ctx.Value(callerKey{}).(record.Key); caller.Scope != nil {
		text = append(text, " of "+caller.ID...)
	}
	sum := sha256.Sum256(text)
	return sum[:], nil
}
