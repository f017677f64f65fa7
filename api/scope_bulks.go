package api

import (
	"context"

	"github.com/saga-orchestrator/orchestrator/internal/record"
)

// scopedBulks lists the bulk actions of keys that the scope of the request includes, and limits their targets.
type scopedBulks struct{ bulkStore }

// bulkStore is another name of Bulks, which is also the name of a method.
type bulkStore = Bulks

// CreateBulk limits the targets of a bulk action to the scope, which it records.
func (s scopedBulks) CreateBulk(ctx context.Context, action record.BulkAction, targets record.BulkTargets) (record.BulkAction, error) {
	action.Scope, targets.Scope = scopeOf(ctx), scopeOf(ctx)
	if targets.Sagas != nil {
		targets.Sagas.Scope = scopeOf(ctx)
	}
	if targets.DeadLetters != nil {
		targets.DeadLetters.Scope = scopeOf(ctx)
	}
	return s.bulkStore.CreateBulk(ctx, action, targets)
}

// Bulk returns a bulk action of the scope.
func (s scopedBulks) Bulk(ctx context.Context, id string) (record.BulkAction, error) {
	found, err := s.bulkStore.Bulk(ctx, id)
	if err == nil && !scopeOf(ctx).Includes(found.Scope) {
		return record.BulkAction{}, record.ErrBulkNotFound
	}
	return found, err
}

// Bulks lists bulk actions of the scope.
func (s scopedBulks) Bulks(ctx context.Context, page record.Page) (found []record.BulkAction, next string, err error) {
	page.Scope = scopeOf(ctx)
	return s.bulkStore.Bulks(ctx, page)
}

// BulkItems lists the targets of a bulk action of the scope.
func (s scopedBulks) BulkItems(
	ctx context.Context, id string, outcome record.BulkOutcome, page record.Page,
) (found []record.BulkItem, next string, err error) {
	if _, err := s.Bulk(ctx, id); err != nil {
		return nil, "", err
	}
	return s.bulkStore.BulkItems(ctx, id, outcome, page)
}

// ControlBulk changes a bulk action of the scope.
func (s scopedBulks) ControlBulk(
	ctx context.Context, id string, control func(*record.BulkAction) error,
) (record.BulkAction, error) {
	return s.bulkStore.ControlBulk(ctx, id, func(action *record.BulkAction) error {
		if !scopeOf(ctx).Includes(action.Scope) {
			return record.ErrBulkNotFound
		}
		return control(action)
	})
}

// SetDisabled disables or enables a definition of the scope.
func (s scopedBulks) SetDisabled(ctx context.Context, definition string, disabled bool, actor string) (changed bool, err error) {
	if !scopeOf(ctx).Covers(definition) {
		return false, record.ErrDefinitionNotFound
	}
	return s.bulkStore.SetDisabled(ctx, definition, disabled, actor)
}
