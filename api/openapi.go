package api

import (
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// finishDocument completes the OpenAPI document after the routes are registered.
func (s *service) finishDocument() {
	document := s.huma.OpenAPI()
	registry := document.Components.Schemas
	for _, public := range s.publicOperations() {
		document.AddOperation(public)
	}
	why := registry.SchemaFromRef("#/components/schemas/Why")
	why.Properties["next_automatic"] = orNull(why.Properties["next_automatic"])
	step := registry.SchemaFromRef("#/components/schemas/StepEvidence")
	step.Properties["error"] = orNull(step.Properties["error"])
	for _, schema := range registry.Map() {
		noNullArrays(schema)
	}
	for _, operation := range operationsOf(document) {
		for _, parameter := range operation.Parameters {
			noNullArrays(parameter.Schema)
		}
	}
}

// noNullArrays makes arrays not nullable: the API returns an empty array, or omits the member.
func noNullArrays(schema *huma.Schema) {
	if schema == nil {
		return
	}
	if schema.Type == huma.TypeArray {
		schema.Nullable = false
	}
	noNullArrays(schema.Items)
	for _, property := range schema.Properties {
		noNullArrays(property)
	}
	for _, alternatives := range [][]*huma.Schema{schema.OneOf, schema.AnyOf, schema.AllOf} {
		for _, alternative := range alternatives {
			noNullArrays(alternative)
		}
	}
	if further, is := schema.AdditionalProperties.(*huma.Schema); is {
		noNullArrays(further)
	}
}

// publicOperations describes the routes that do not need a key.
func (s *service) publicOperations() []*huma.Operation {
	registry := s.huma.OpenAPI().Components.Schemas
	answer := func(status int, mediaType string, schema *huma.Schema) *huma.Response {
		return &huma.Response{Description: http.StatusText(status), Content: map[string]*huma.MediaType{mediaType: {Schema: schema}}}
	}
	health := registry.Schema(reflect.TypeFor[resource.Health](), true, "")
	details := registry.Schema(reflect.TypeFor[resource.HealthDetails](), true, "")
	refused := answer(http.StatusForbidden, "application/problem+json", registry.Schema(reflect.TypeFor[resource.Problem](), true, ""))
	readiness := &huma.Schema{AnyOf: []*huma.Schema{details, health}}
	operations := []*huma.Operation{
		{
			Path: "/healthz", Summary: "Report whether the process is alive",
			Responses: map[string]*huma.Response{"200": answer(http.StatusOK, "application/json", health)},
		},
		{
			Path: "/readyz", Summary: "Report whether the process can work",
			Description: "200 only if the database can be written, the broker accepts messages, and no queue exceeds --max-queue-depth. " +
				"The result is at most a few seconds old.",
			Parameters: []*huma.Param{{
				Name: "verbose", In: "query", AllowEmptyValue: true, Description: "Adds details: queues, dead letters, unreadable sagas and definitions",
				Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"", "true", "1"}},
			}},
			Responses: map[string]*huma.Response{
				"200": answer(http.StatusOK, "application/json", readiness), "503": answer(http.StatusServiceUnavailable, "application/json", readiness),
			},
		},
		{
			Path: "/metrics", Summary: "Get the metrics in the format of Prometheus",
			Responses: map[string]*huma.Response{"200": answer(http.StatusOK, "text/plain", &huma.Schema{Type: huma.TypeString})},
		},
	}
	for _, operation := range operations {
		operation.OperationID, operation.Method = strings.TrimPrefix(operation.Path, "/"), http.MethodGet
		operation.Tags, operation.Security = []string{"Health"}, []map[string][]string{} // empty: no key needed
		operation.Description = strings.TrimSpace(operation.Description + " Does not need a key.")
		operation.Responses["403"] = refused
	}
	return operations
}
