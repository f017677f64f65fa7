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

// The reasons why a saga or a definition cannot be read. Only the log has the error itself, which may repeat data.
const (
	rowUnreadable        = "This version of the orchestrator cannot read the stored state: a newer version wrote it, or it was edited by hand."
	definitionUnreadable = "This version of the orchestrator cannot read the stored definition: a newer version wrote it, or it was edited by hand."
	definitionGone       = "The version of the definition with which the saga started does not exist any more."
)

// keyLacked returns the reason why this replica cannot read a saga that others can.
func keyLacked(key string) string {
	return "This replica lacks the key " + key + ", with which the saga's payloads are encrypted: give it the file of keys that the others have."
}

// unread returns the reason why a stored saga cannot be read.
func unread(stored record.StoredSaga) string {
	if lacked, is := errors.AsType[*record.PayloadKeyError](stored.Unreadable); is {
		return keyLacked(lacked.Key)
	}
	return rowUnreadable
}

// unreadProblem returns the problem of a state that cannot be read.
func unreadProblem(err error) *resource.Problem {
	if lacked, is := errors.AsType[*record.PayloadKeyError](err); is {
		return problem(resource.CodeUnavailable, keyLacked(lacked.Key)+" Nothing was changed. Retry it: another replica may have the key.")
	}
	return problem(resource.CodeUnreadable, rowUnreadable)
}

// defect returns the reason why a saga cannot be shown with its definition, or "" if there is none. err is the error of
// reading the definition.
func defect(stored record.StoredSaga, definition *saga.Definition, err error) string {
	switch {
	case stored.Unreadable != nil:
		return unread(stored)
	case errors.Is(err, record.ErrUnreadable):
		return definitionUnreadable
	case errors.Is(err, record.ErrDefinitionNotFound):
		return definitionGone
	case err == nil && len(stored.Steps) != len(definition.Steps):
		return rowUnreadable // one of them was edited, or the saga was abandoned unread
	case err == nil && !stored.Status.Terminal() && definition.Check(&stored.Instance) != nil:
		return rowUnreadable // the engine decides nothing on it
	default:
		return ""
	}
}

// view returns a stored saga as the API shows it. Of an unreadable saga it shows what the columns hold.
func (s *service) view(ctx context.Context, stored record.StoredSaga) (resource.Saga, error) {
	shown, err := s.viewAll(ctx, stored)
	if err == nil && !s.seesAll(ctx) {
		err = s.maskSaga(ctx, &stored.Instance, &shown)
	}
	return shown, err
}

func (s *service) viewAll(ctx context.Context, stored record.StoredSaga) (resource.Saga, error) {
	if readable := stored.Unreadable == nil && stored.Phase != ""; !readable {
		shown := partly(&stored.Instance, unread(stored))
		if errors.Is(stored.Unreadable, record.ErrPayloadKeys) {
			shown.AllowedActions = []saga.ActionName{} // it goes on elsewhere
		}
		return shown, nil
	}
	definition, err := s.definitions.Get(ctx, stored.Definition, stored.Version)
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

// showDefinition returns a definition as the API shows it. An unreadable one has only a name and a version.
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

// unreadableDefinition finds a definition in the list of its versions, which includes unreadable ones. Version 0 is the
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
	if err != nil {
		return nil, err
	}
	one := []resource.Definition{shown}
	err = s.withDisabled(ctx, one)
	return &definitionOutput{Status: http.StatusOK, Body: one[0]}, err
}
