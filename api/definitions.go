package api

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"strconv"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/internal/record"
	"github.com/saga-orchestrator/orchestrator/saga"
)

type (
	definitionInput struct {
		Name string `path:"name" doc:"Name of the definition"`
	}
	versionsInput struct {
		Name string `path:"name" doc:"Name of the definition"`
		PageInput
	}
	versionInput struct {
		Name    string `path:"name" doc:"Name of the definition"`
		Version int    `path:"version" minimum:"1"`
	}
	definitionOutput struct {
		Status   int
		Location string `header:"Location"`
		Body     resource.Definition
	}
)

func (s *service) definitionRoutes() {
	const tag = "Definitions"
	register(s, route{
		id: "put-definition", method: http.MethodPut, path: "/v1/definitions/{name}", tag: tag, role: record.Admin,
		summary: "Register a definition", answers: answers{http.StatusCreated: resource.Definition{}},
		about: "A body that differs from the latest version becomes a new version (201); an equal one changes nothing " +
			"(200). White space, the order of members and explicit defaults do not count as differences. A saga keeps the " +
			"version with which it started.",
		body: &bodyRule{
			shape: bodyOf[resource.DefinitionBody]().shape, limit: resource.MaxDefinitionBytes, members: maxDefinitionMembers,
		},
	}, s.putDefinition)
	register(s, route{
		id: "list-definitions", method: http.MethodGet, path: "/v1/definitions", tag: tag, role: record.Viewer,
		summary: "List definitions", about: "The latest version of each definition, in the order of names.",
	}, s.listDefinitions)
	register(s, route{
		id: "get-definition", method: http.MethodGet, path: "/v1/definitions/{name}", tag: tag, role: record.Viewer,
		summary: "Get the latest version of a definition", errors: []int{http.StatusNotFound},
	}, s.getDefinition)
	register(s, route{
		id: "set-definition", method: http.MethodPatch, path: "/v1/definitions/{name}", tag: tag, role: record.Admin,
		summary: "Disable or enable a definition", body: bodyOf[resource.DefinitionSettings](), errors: []int{http.StatusNotFound},
		about: "Starts of a disabled definition are refused: 409 `definition_disabled`. Running and scheduled sagas continue, and a " +
			"repeated start still returns its saga.",
	}, s.setDefinition)
	register(s, route{
		id: "list-definition-versions", method: http.MethodGet, path: "/v1/definitions/{name}/versions", tag: tag,
		role: record.Viewer, summary: "List every version of a definition", errors: []int{http.StatusNotFound},
	}, s.listVersions)
	register(s, route{
		id: "get-definition-version", method: http.MethodGet, path: "/v1/definitions/{name}/versions/{version}", tag: tag,
		role: record.Viewer, summary: "Get one version of a definition", errors: []int{http.StatusNotFound},
	}, s.getVersion)
}

func (s *service) putDefinition(ctx context.Context, input *definitionInput) (*definitionOutput, error) {
	definition, err := saga.ParseDefinition(input.Name, 0, body(ctx))
	if err != nil {
		return nil, err
	}
	if !scopeOf(ctx).Covers(input.Name) {
		return nil, problem(resource.CodeForbidden, "The key of this call is limited to other definitions.")
	}
	if faults := childrenOutside(scopeOf(ctx), definition); len(faults) > 0 {
		return nil, faults
	}
	kept, created, err := s.Engine.RegisterDefinition(ctx, definition)
	if err != nil {
		return nil, err
	}
	shown, err := showDefinition(kept)
	if err != nil {
		return nil, err
	}
	one := []resource.Definition{shown}
	if err := s.withDisabled(ctx, one); err != nil {
		return nil, err
	}
	output := &definitionOutput{Status: http.StatusOK, Body: one[0]}
	if created {
		output.Status = http.StatusCreated
		output.Location = "/v1/definitions/" + kept.Name + "/versions/" + decimal(kept.Version)
	}
	return output, nil
}

func (s *service) listDefinitions(ctx context.Context, input *PageInput) (*listOutput[resource.Definition], error) {
	page, err := input.page(definitionsList, identifier)
	if err != nil {
		return nil, err
	}
	found, next, err := s.Reads.Definitions(ctx, page)
	if err != nil {
		return nil, err
	}
	list, err := listOf(definitionsList, found, next, showDefinition)
	if err == nil {
		err = s.withDisabled(ctx, list.Items)
	}
	return &listOutput[resource.Definition]{Body: list}, err
}

func (s *service) getDefinition(ctx context.Context, input *definitionInput) (*definitionOutput, error) {
	if !identifier(input.Name) {
		return nil, record.ErrDefinitionNotFound
	}
	found, err := s.Reads.LatestDefinition(ctx, input.Name)
	if errors.Is(err, record.ErrUnreadable) {
		return s.unreadableDefinition(ctx, input.Name, 0)
	}
	if err != nil {
		return nil, err
	}
	shown, err := showDefinition(found)
	if err != nil {
		return nil, err
	}
	one := []resource.Definition{shown}
	err = s.withDisabled(ctx, one)
	return &definitionOutput{Status: http.StatusOK, Body: one[0]}, err
}

func (s *service) listVersions(ctx context.Context, input *versionsInput) (*listOutput[resource.Definition], error) {
	if !identifier(input.Name) {
		return nil, record.ErrDefinitionNotFound
	}
	page, err := input.page(versionsList, isVersion)
	if err != nil {
		return nil, err
	}
	found, next, err := s.Reads.DefinitionVersions(ctx, input.Name, page)
	if err != nil {
		return nil, err
	}
	list, err := listOf(versionsList, found, next, showDefinition)
	if err == nil {
		err = s.withDisabled(ctx, list.Items)
	}
	return &listOutput[resource.Definition]{Body: list}, err
}

func (s *service) getVersion(ctx context.Context, input *versionInput) (*definitionOutput, error) {
	if !identifier(input.Name) || input.Version > math.MaxInt32 {
		return nil, record.ErrDefinitionNotFound
	}
	found, err := s.Reads.DefinitionVersion(ctx, input.Name, input.Version)
	if errors.Is(err, record.ErrUnreadable) {
		return s.unreadableDefinition(ctx, input.Name, input.Version)
	}
	if err != nil {
		return nil, err
	}
	shown, err := showDefinition(found)
	if err != nil {
		return nil, err
	}
	one := []resource.Definition{shown}
	err = s.withDisabled(ctx, one)
	return &definitionOutput{Status: http.StatusOK, Body: one[0]}, err
}

func isVersion(text string) bool {
	version, err := strconv.Atoi(text)
	return err == nil && version > 0
}

func (s *service) setDefinition(ctx context.Context, input *definitionInput) (*definitionOutput, error) {
	given, err := decode(body(ctx), func(given resource.DefinitionSettings) (faults []resource.FieldError) {
		if given.Disabled == nil {
			faults = append(faults, field("disabled", "must be true or false"))
		}
		return faults
	})
	if err != nil {
		return nil, err
	}
	if !identifier(input.Name) {
		return nil, record.ErrDefinitionNotFound
	}
	if _, err := s.Bulks.SetDisabled(ctx, input.Name, *given.Disabled, actor(ctx)); err != nil {
		return nil, err
	}
	return s.getDefinition(ctx, input)
}

// withDisabled sets the member disabled of definitions.
func (s *service) withDisabled(ctx context.Context, shown []resource.Definition) error {
	names, err := s.Bulks.Disabled(ctx)
	for i := range shown {
		shown[i].Disabled = slices.Contains(names, shown[i].Name)
	}
	return err
}
