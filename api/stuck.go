package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// without is the filter value for sagas without a step or an error code.
const without = "-"

// escape stands before a value that would mean something else.
const escape = `\`

type (
	groupsInput struct {
		Definition Given[string] `query:"definition" maxLength:"128" doc:"Name of the definition"`
	}
	groupsOutput struct {
		Body resource.Groups
	}
)

func (s *service) stuckRoutes() {
	register(s, route{
		id: "list-groups", method: http.MethodGet, path: "/v1/stuck", tag: "Sagas", role: record.Viewer,
		summary: "List groups of sagas that need attention",
		about: "A group contains all sagas of a definition that need attention for the same reason, at the same step, with the same " +
			"error. The largest groups come first, at most 1,000; `total` counts the sagas in all groups.",
	}, s.listGroups)
}

func (s *service) listGroups(ctx context.Context, input *groupsInput) (*groupsOutput, error) {
	if input.Definition.Set && !identifier(input.Definition.Value) {
		return nil, parameter("definition", "must be the name of a definition")
	}
	found, err := s.Reads.Groups(ctx, scopeOf(ctx), input.Definition.Value)
	if err != nil {
		return nil, err
	}
	shown := resource.Groups{Items: make([]resource.Group, len(found.Groups)), Total: found.Sagas}
	for i, g := range found.Groups {
		shown.Items[i] = resource.Group{
			Definition: g.Definition, Reason: g.Reason, Step: resource.Text(g.Step), ErrorCode: resource.Text(g.ErrorCode),
			Count: g.Sagas, Oldest: resource.OptionalTime(g.Oldest), Newest: resource.OptionalTime(g.Newest), Example: g.Example,
			Filter: resource.GroupFilter{
				Definition: g.Definition, AttentionReason: []saga.AttentionReason{g.Reason},
				Step: orWithout(g.Step), ErrorCode: orWithout(g.ErrorCode),
			},
		}
	}
	return &groupsOutput{Body: shown}, nil
}

// orWithout returns the filter value that selects sagas with that text. A text that would not be taken as itself gets a
// backslash in front: one that is "-" or blank, or that begins with a backslash.
func orWithout(text string) string {
	switch {
	case text == "":
		return without
	case text == without || strings.TrimSpace(text) == "" || strings.HasPrefix(text, escape):
		return escape + text
	default:
		return text
	}
}

// withoutOr is the inverse of orWithout: an empty text selects sagas without a value, and nil selects every saga.
func withoutOr(given *string) *string {
	switch {
	case given == nil:
		return nil
	case *given == without:
		return new("")
	default:
		return new(strings.TrimPrefix(*given, escape))
	}
}
