package api

import (
	"encoding/json"
	"io"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// jsonFormat writes answers as users put their data in: without escapes that only HTML needs.
func jsonFormat() huma.Format {
	return huma.Format{
		Marshal: func(w io.Writer, value any) error {
			encoded, err := saga.EncodeJSON(value)
			if err != nil {
				return err
			}
			_, err = w.Write(append(encoded, '\n'))
			return err
		},
		Unmarshal: json.Unmarshal,
	}
}

// describeTypes tells the OpenAPI document what reflection cannot see: durations are strings, statuses are
// enumerations, and the router's error type is never sent.
func describeTypes(registry huma.Registry) {
	registry.RegisterTypeAlias(reflect.TypeFor[saga.Duration](), reflect.TypeFor[string]())
	registry.RegisterTypeAlias(reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[resource.Problem]())
	shown := registry.Schema(reflect.TypeFor[resource.Saga](), false, "")
	shown.Properties["status"].Enum = enumeration(saga.Statuses())
	shown.Properties["data"] = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
	shown.Properties["failure"] = orNull(shown.Properties["failure"])
	shown.Properties["attention"] = orNull(shown.Properties["attention"])
	step := registry.SchemaFromRef("#/components/schemas/SagaStep")
	step.Properties["status"].Enum = enumeration([]saga.StepStatus{
		saga.StepPending, saga.StepRunning, saga.StepRetrying, saga.StepSucceeded, saga.StepFailed, saga.StepUnknown,
		saga.StepSkipped, saga.StepCompensating, saga.StepCompensated, saga.StepCompensationFailed,
	})
	step.Properties["kind"].Enum = enumeration([]saga.Kind{saga.Compensatable, saga.Pivot, saga.Retriable})
	step.Properties["error"] = orNull(step.Properties["error"])
	attention := registry.SchemaFromRef("#/components/schemas/Attention")
	attention.Properties["reason"].Enum = enumeration(saga.AttentionReasons())
	failure := registry.SchemaFromRef("#/components/schemas/Failure")
	for _, member := range []*huma.Schema{
		shown.Properties["key"], step.Properties["compensation"], attention.Properties["step"], failure.Properties["step"],
	} {
		member.Nullable = true // a resource.Text
	}
	for _, schema := range []*huma.Schema{shown, step, attention} {
		for name, member := range schema.Properties {
			if name == "since" || strings.HasSuffix(name, "_at") {
				member.Format = "date-time"
			}
		}
	}
}

func enumeration[T ~string](values []T) []any {
	listed := make([]any, len(values))
	for i, value := range values {
		listed[i] = string(value)
	}
	return listed
}

// orNull is the schema of a member that is null when there is nothing to say.
func orNull(schema *huma.Schema) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{schema, {Type: "null"}}}
}

// parameterName takes the name out of a location such as query.limit, cut to what fits a message.
func parameterName(location string) string {
	_, name, found := strings.Cut(location, ".")
	if !found {
		name = location
	}
	name, _, _ = strings.Cut(name, "[") // one of several with this name
	return shortened(name)
}

// shortened keeps a name from outside short enough to be named.
func shortened(name string) string {
	const longest = 64
	if len(name) <= longest {
		return name
	}
	return strings.ToValidUTF8(name[:longest], "") + "…"
}
