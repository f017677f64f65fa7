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

// jsonFormat encodes answers without escapes that only HTML needs.
func jsonFormat() huma.Format {
	return huma.Format{
		Marshal: func(w io.Writer, value any) error {
			encode := func() ([]byte, error) { return saga.EncodeJSON(value) }
			if shown, ok := value.(resource.Saga); ok {
				encode = shown.AppendJSON
			}
			encoded, err := encode()
			if err != nil {
				return err
			}
			_, err = w.Write(append(encoded, '\n'))
			return err
		},
		Unmarshal: json.Unmarshal,
	}
}

// describeTypes adds to the registry what reflection does not find: durations are strings, statuses are enumerations, and
// the router's error type is a problem.
func describeTypes(registry huma.Registry) {
	registry.RegisterTypeAlias(reflect.TypeFor[saga.Duration](), reflect.TypeFor[string]())
	registry.RegisterTypeAlias(reflect.TypeFor[huma.ErrorModel](), reflect.TypeFor[resource.Problem]())
	shown := registry.Schema(reflect.TypeFor[resource.Saga](), false, "")
	shown.Properties["status"].Enum = enumeration(saga.Statuses())
	shown.Properties["data"] = &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
	step := registry.SchemaFromRef("#/components/schemas/SagaStep")
	step.Properties["status"].Enum = enumeration([]saga.StepStatus{
		saga.StepPending, saga.StepRunning, saga.StepRetrying, saga.StepSucceeded, saga.StepFailed, saga.StepUnknown,
		saga.StepSkipped, saga.StepCompensating, saga.StepCompensated, saga.StepCompensationFailed,
	})
	step.Properties["kind"].Enum = enumeration([]saga.Kind{saga.Compensatable, saga.Pivot, saga.Retriable})
	attention := registry.SchemaFromRef("#/components/schemas/Attention")
	attention.Properties["reason"].Enum = enumeration(saga.AttentionReasons())
	for name, kind := range map[string]reflect.Type{
		"Saga": reflect.TypeFor[resource.Saga](), "SagaStep": reflect.TypeFor[resource.SagaStep](), "WaitsFor": reflect.TypeFor[resource.WaitsFor](),
		"Attention": reflect.TypeFor[resource.Attention](), "Failure": reflect.TypeFor[resource.Failure](),
	} {
		describeAbsent(registry.SchemaFromRef("#/components/schemas/"+name), kind)
	}
	for _, schema := range []*huma.Schema{shown, step, attention} {
		for name, member := range schema.Properties {
			if name == "since" || strings.HasSuffix(name, "_at") {
				member.Format = "date-time"
			}
		}
	}
}

// describeAbsent makes the members nullable that stand for "none" by null: optional texts and pointers.
func describeAbsent(schema *huma.Schema, kind reflect.Type) {
	for field := range kind.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		member := schema.Properties[name]
		switch {
		case member == nil || field.Type != reflect.TypeFor[resource.Text]() && field.Type.Kind() != reflect.Pointer:
		case member.Ref != "":
			schema.Properties[name] = orNull(member)
		default:
			member.Nullable = true
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

// orNull returns the schema of a nullable member.
func orNull(schema *huma.Schema) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{schema, {Type: "null"}}}
}

// parameterName returns the name in a location such as query.limit, shortened.
func parameterName(location string) string {
	_, name, found := strings.Cut(location, ".")
	if !found {
		name = location
	}
	name, _, _ = strings.Cut(name, "[") // one value of several
	return shortened(name)
}

// shortened cuts a name from a request to a length that fits a message.
func shortened(name string) string {
	const longest = 64
	if len(name) <= longest {
		return name
	}
	return strings.ToValidUTF8(name[:longest], "") + "…"
}
