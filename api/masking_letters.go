package api

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/steps/wire"
)

// maskLetter hides what is sensitive in the body and the headers of a dead letter that a viewer gets. A body that cannot be
// read, or whose definition is not known, is hidden as a whole if it may be about a saga with sensitive members.
func (s *service) maskLetter(ctx context.Context, letter *record.DeadLetter) error {
	p, known, err := s.letterProtection(ctx, letter)
	if err != nil {
		return err
	}
	if !known {
		if some, err := s.anySensitive(ctx); err != nil || !some {
			return err
		}
		letter.Body, letter.Headers = []byte(saga.Masked), maskHeaders(letter.Headers)
		return nil
	}
	if p.mask != nil {
		letter.Body, letter.Headers = maskBody(letter, p), maskHeaders(letter.Headers)
	}
	return nil
}

// letterProtection returns how a viewer sees the body of a dead letter. known is false if its definition is not known.
func (s *service) letterProtection(ctx context.Context, letter *record.DeadLetter) (p protection, known bool, err error) {
	in := saga.Instance{}
	switch {
	case letter.Source == record.SourceStart:
		in.Definition, in.Version, err = s.startOf(ctx, letter)
	case letter.SagaID != "":
		var stored record.StoredSaga
		stored, err = s.Reads.Saga(ctx, letter.SagaID)
		in = stored.Instance
		if errors.Is(err, record.ErrSagaNotFound) {
			in.Definition, in.Version, err = commandOf(letter), versionOf(letter), nil
		}
	default:
		in.Definition, in.Version = commandOf(letter), versionOf(letter)
	}
	if err != nil || in.Definition == "" {
		return protection{}, false, err
	}
	p, err = s.protectionOf(ctx, &in)
	return p, err == nil, err
}

// startOf returns the definition that a start by message names; empty: none that exists.
func (s *service) startOf(ctx context.Context, letter *record.DeadLetter) (definition string, version int, err error) {
	var named struct {
		Definition string `json:"definition"`
		Version    int    `json:"version"`
	}
	if json.Unmarshal(letter.Body, &named) != nil || !identifier(named.Definition) {
		return "", 0, nil //nolint:nilerr // the start names none
	}
	if named.Version > 0 {
		return named.Definition, named.Version, nil
	}
	latest, err := s.Reads.LatestDefinition(ctx, named.Definition)
	if errors.Is(err, record.ErrDefinitionNotFound) || errors.Is(err, record.ErrUnreadable) {
		return "", 0, nil
	}
	return named.Definition, latest.Version, err
}

// commandOf and versionOf return the definition in the headers of a command.
func commandOf(letter *record.DeadLetter) string {
	name, _ := headerOf(letter, wire.HeaderDefinition).(string)
	if !identifier(name) {
		return ""
	}
	return name
}

func versionOf(letter *record.DeadLetter) int {
	version, _ := headerOf(letter, wire.HeaderVersion).(float64)
	return int(version)
}

func headerOf(letter *record.DeadLetter, name string) any {
	headers := make(map[string]any)
	_ = json.Unmarshal(letter.Headers, &headers) // headers that cannot be read name nothing
	return headers[name]
}

// anySensitive reports whether the latest version of a definition has sensitive members.
func (s *service) anySensitive(ctx context.Context) (bool, error) {
	for page := (record.Page{Limit: dryRunPage}); ; {
		found, next, err := s.Reads.Definitions(ctx, page)
		if err != nil {
			return false, err
		}
		for i := range found {
			if found[i].Unreadable != nil || len(found[i].Sensitive) > 0 {
				return true, nil //nolint:nilerr // a definition that cannot be read may have some
			}
		}
		if page.After = next; next == "" {
			return false, nil
		}
	}
}

// maskBulks hides the data in the parameters of bulk actions from a viewer if it may be sensitive: their targets may be of any
// definition.
func (s *service) maskBulks(ctx context.Context, shown []resource.BulkAction) error {
	if s.seesAll(ctx) {
		return nil
	}
	holdsData := func(a resource.BulkAction) bool { return len(a.Patch)+len(a.Output) > 0 }
	if !slices.ContainsFunc(shown, holdsData) {
		return nil
	}
	if some, err := s.anySensitive(ctx); err != nil || !some {
		return err
	}
	for i := range shown {
		for _, hidden := range []*json.RawMessage{&shown[i].Patch, &shown[i].Output} {
			if len(*hidden) > 0 {
				*hidden = saga.MaskAll(*hidden)
			}
		}
	}
	return nil
}
