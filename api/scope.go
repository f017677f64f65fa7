package api

import (
	"context"
	"strconv"

	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// scopeOf returns the definitions that the caller's key covers; nil: every definition.
func scopeOf(ctx context.Context) record.Scope {
	key, _ := ctx.Value(callerKey{}).(record.Key)
	return key.Scope
}

// childrenOutside returns the steps that would start sagas of definitions outside a scope: to its key these do not exist.
func childrenOutside(scope record.Scope, definition *saga.Definition) (faults saga.Faults) {
	for i := range definition.Steps {
		if child := definition.Steps[i].Saga; child != "" && !scope.Covers(child) {
			faults = append(faults, saga.Fault{
				Pointer: "/steps/" + strconv.Itoa(i) + "/saga", Message: "definition " + child + " does not exist, or cannot be read",
			})
		}
	}
	return faults
}

// checkSaga returns record.ErrSagaNotFound for a saga outside the scope of the caller's key. The definition of a saga never
// changes, so the answer stays true.
func (s *service) checkSaga(ctx context.Context, id string) error {
	if scopeOf(ctx) == nil {
		return nil
	}
	_, err := s.Reads.Saga(ctx, id)
	return err
}

// scoped reads what the key of the request covers. What is outside its scope is not found, and not in lists.
type scoped struct{ Reads }

// Saga returns a saga of the scope.
func (s scoped) Saga(ctx context.Context, id string) (record.StoredSaga, error) {
	found, err := s.Reads.Saga(ctx, id)
	if err == nil && !scopeOf(ctx).Covers(found.Definition) {
		return record.StoredSaga{}, record.ErrSagaNotFound
	}
	return found, err
}

// Sagas lists sagas of the scope.
func (s scoped) Sagas(ctx context.Context, filter record.Filter, page record.Page) (found []record.StoredSaga, next string, err error) {
	filter.Scope = scopeOf(ctx)
	return s.Reads.Sagas(ctx, filter, page)
}

// History returns the history of a saga of the scope.
func (s scoped) History(ctx context.Context, sagaID string, page record.Page) (entries []record.Entry, next string, err error) {
	if err := s.check(ctx, sagaID); err != nil {
		return nil, "", err
	}
	return s.Reads.History(ctx, sagaID, page)
}

// OutboxRows returns the outbox rows of a saga of the scope.
func (s scoped) OutboxRows(ctx context.Context, sagaID string) ([]record.OutboxRow, error) {
	if err := s.check(ctx, sagaID); err != nil {
		return nil, err
	}
	return s.Reads.OutboxRows(ctx, sagaID)
}

// check returns record.ErrSagaNotFound for a saga outside the scope.
func (s scoped) check(ctx context.Context, sagaID string) error {
	if scopeOf(ctx) == nil {
		return nil
	}
	_, err := s.Saga(ctx, sagaID)
	return err
}

// Definition returns a version of a definition of the scope.
func (s scoped) Definition(ctx context.Context, name string, version int) (*saga.Definition, error) {
	if !scopeOf(ctx).Covers(name) {
		return nil, record.ErrDefinitionNotFound
	}
	return s.Reads.Definition(ctx, name, version)
}

// DefinitionVersion returns a version of a definition of the scope.
func (s scoped) DefinitionVersion(ctx context.Context, name string, version int) (record.RegisteredDefinition, error) {
	if !scopeOf(ctx).Covers(name) {
		return record.RegisteredDefinition{}, record.ErrDefinitionNotFound
	}
	return s.Reads.DefinitionVersion(ctx, name, version)
}

// LatestDefinition returns the latest version of a definition of the scope.
func (s scoped) LatestDefinition(ctx context.Context, name string) (record.RegisteredDefinition, error) {
	if !scopeOf(ctx).Covers(name) {
		return record.RegisteredDefinition{}, record.ErrDefinitionNotFound
	}
	return s.Reads.LatestDefinition(ctx, name)
}

// DefinitionVersions lists the versions of a definition of the scope.
func (s scoped) DefinitionVersions(
	ctx context.Context, name string, page record.Page,
) (found []record.RegisteredDefinition, next string, err error) {
	if !scopeOf(ctx).Covers(name) {
		return nil, "", record.ErrDefinitionNotFound
	}
	return s.Reads.DefinitionVersions(ctx, name, page)
}

// Definitions lists the definitions of the scope.
func (s scoped) Definitions(ctx context.Context, page record.Page) (found []record.RegisteredDefinition, next string, err error) {
	page.Scope = scopeOf(ctx)
	return s.Reads.Definitions(ctx, page)
}

// DeadLetters lists dead letters of sagas of the scope.
func (s scoped) DeadLetters(
	ctx context.Context, filter record.DeadLetterFilter, page record.Page,
) (found []record.DeadLetter, next string, err error) {
	filter.Scope = scopeOf(ctx)
	return s.Reads.DeadLetters(ctx, filter, page)
}

// DeadLetter returns a dead letter of a saga of the scope.
func (s scoped) DeadLetter(ctx context.Context, id string) (record.DeadLetter, error) {
	letter, err := s.Reads.DeadLetter(ctx, id)
	if err != nil || scopeOf(ctx) == nil {
		return letter, err
	}
	if s.check(ctx, letter.SagaID) != nil {
		return record.DeadLetter{}, record.ErrDeadLetterNotFound
	}
	return letter, nil
}

// CommandLetters returns dead letters of commands of a saga of the scope.
func (s scoped) CommandLetters(ctx context.Context, sagaID string, commands []saga.CommandID) ([]record.DeadLetter, error) {
	if err := s.check(ctx, sagaID); err != nil {
		return nil, err
	}
	return s.Reads.CommandLetters(ctx, sagaID, commands)
}
