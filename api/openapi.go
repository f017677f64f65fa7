package api

import (
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
)

// finishDocument adds to the OpenAPI document what the routes do not write themselves.
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
		arraysAreThere(schema)
	}
	for _, operation := range operationsOf(document) {
		for _, parameter := range operation.Parameters {
			arraysAreThere(parameter.Schema)
		}
	}
}

// arraysAreThere takes null out of arrays: the API answers with an empty one, or leaves the member out.
func arraysAreThere(schema *huma.Schema) {
	if schema == nil {
		return
	}
	if schema.Type == huma.TypeArray {
		schema.Nullable = false
	}
	arraysAreThere(schema.Items)
	for _, property := range schema.Properties {
		arraysAreThere(property)
	}
	for _, alternatives := range [][]*huma.Schema{schema.OneOf, schema.AnyOf, schema.AllOf} {
		for _, alternative := range alternatives {
			arraysAreThere(alternative)
		}
	}
	if further, is := schema.AdditionalProperties.(*huma.Schema); is {
		arraysAreThere(further)
	}
}

// publicOperations describe the calls that the router serves by itself. They need no key.
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
			Path: "/readyz", Summary: "Report whether the process can do its work",
			Description: "200 only while the database can be written, the broker takes messages, and --max-queue-depth (if set) is kept. " +
				"It answers from what was found in the last seconds.",
			Parameters: []*huma.Param{{
				Name: "verbose", In: "query", AllowEmptyValue: true, Description: "Also what is broken: queues, dead letters, what cannot be read",
				Schema: &huma.Schema{Type: huma.TypeString, Enum: []any{"", "true", "1"}},
			}},
			Responses: map[string]*huma.Response{
				"200": answer(http.StatusOK, "application/json", readiness), "503": answer(http.StatusServiceUnavailable, "application/json", readiness),
			},
		},
		{
			Path: "/metrics", Summary: "Metrics for Prometheus",
			Responses: map[string]*huma.Response{"200": answer(http.StatusOK, "text/plain", &huma.Schema{Type: huma.TypeString})},
		},
	}
	for _, operation := range operations {
		operation.OperationID, operation.Method = strings.TrimPrefix(operation.Path, "/"), http.MethodGet
		operation.Tags, operation.Security = []string{"Health"}, []map[string][]string{} // empty: no key
		operation.Description = strings.TrimSpace(operation.Description + " Needs no key.")
		operation.Responses["403"] = refused
	}
	return operations
}
