package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/saga-orchestrator/orchestrator/api/diagnose"
	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// What is wrong with a saga or a definition that cannot be read. The log has the error itself, which may repeat data.
const (
	rowUnreadable        = "The stored state cannot be read by this version of the orchestrator: a newer one wrote it, or it was edited by hand."
	definitionUnreadable = "The stored definition cannot be read by this version of the orchestrator: a newer one wrote it, or it was edited by hand."
	definitionGone       = "The version of the definition that the saga was started with is not stored any more."
)

// defect is what keeps a saga from being shown with its definition, which was read with that error; empty for errors of
// other kinds.
func defect(stored record.StoredSaga, definition *saga.Definition, err error) string {
	switch {
	case stored.Unreadable != nil:
		return rowUnreadable
	case errors.Is(err, record.ErrUnreadable):
		return definitionUnreadable
	case errors.Is(err, record.ErrDefinitionNotFound):
		return definitionGone
	case err == nil && len(stored.Steps) != len(definition.Steps):
		return rowUnreadable // one of them was edited, or the saga was closed without having been read
	default:
		return ""
	}
}

// view is a stored saga as the outside sees it. One that cannot be read is shown with what its columns say.
func (s *service) view(ctx context.Context, stored record.StoredSaga) (resource.Saga, error) {
	if readable := stored.Unreadable == nil; !readable {
		return partly(&stored.Instance, rowUnreadable), nil
	}
	definition, err := s.definitions.get(ctx, stored.Definition, stored.Version)
	if text := defect(stored, definition, err); text != "" {
		return partly(&stored.Instance, text), nil
	}
	if err != nil {
		return resource.Saga{}, err
	}
	return resource.SagaOf(definition, &stored.Instance), nil
}

// partly shows a saga without its definition. Abandoning it is the only action that applies.
func partly(in *saga.Instance, reason string) resource.Saga {
	shown := resource.SagaWithoutDefinition(in)
	shown.Unreadable = resource.Text(reason)
	shown.AllowedActions = diagnose.AllowedUnread(in)
	if !json.Valid(in.Data) || !isObject(in.Data) {
		shown.Data = json.RawMessage("{}")
	}
	return shown
}

// showDefinition is a definition as it can be put again; one that cannot be read has a name and a version.
func showDefinition(kept record.RegisteredDefinition) (resource.Definition, error) {
	shown := resource.Definition{Steps: json.RawMessage("[]")}
	if kept.Unreadable != nil {
		shown.Unreadable = definitionUnreadable
	} else {
		canonical, err := json.Marshal(kept.Definition)
		if err != nil {
			return resource.Definition{}, err
		}
		if err := json.Unmarshal(canonical, &shown); err != nil {
			return resource.Definition{}, err
		}
	}
	shown.Name, shown.Version, shown.CreatedAt = kept.Name, kept.Version, resource.Time{Time: kept.CreatedAt}
	return shown, nil
}

// unreadableDefinition finds a definition in the list of its versions, which shows broken ones too. version 0 is the
// latest.
func (s *service) unreadableDefinition(ctx context.Context, name string, version int) (*definitionOutput, error) {
	page := record.Page{Limit: 1} // newest first
	if version > 0 {
		page.After = decimal(version + 1)
	}
	found, _, err := s.Reads.DefinitionVersions(ctx, name, page)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 || version > 0 && found[0].Version != version {
		return nil, record.ErrDefinitionNotFound
	}
	shown, err := showDefinition(found[0])
	return &definitionOutput{Status: http.StatusOK, Body: shown}, err
}
