package api

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// decode reads a checked body into a struct, member by member: names are case-sensitive, what is not a member is
// refused, null counts as absent, and one fault does not hide the next.
func decode[T any](content []byte) (T, error) {
	var into T
	var members map[string]json.RawMessage
	if err := json.Unmarshal(content, &members); err != nil || members == nil {
		return into, problem(resource.CodeInvalidField, "The body must be a JSON object.")
	}
	var faults []resource.FieldError
	value := reflect.ValueOf(&into).Elem()
	for i := range value.NumField() {
		name, _, _ := strings.Cut(value.Type().Field(i).Tag.Get("json"), ",")
		raw, given := members[name]
		delete(members, name)
		if !given || isNull(raw) {
			continue
		}
		if err := json.Unmarshal(raw, value.Field(i).Addr().Interface()); err != nil {
			faults = append(faults, field(name, "must be "+kindOf(value.Field(i))))
		}
	}
	if len(members) > 0 {
		return into, unknownFields(members)
	}
	return into, invalid(faults)
}

func unknownFields(members map[string]json.RawMessage) error {
	var faults []resource.FieldError
	for name := range members {
		faults = append(faults, field(name, "is not a known field"))
	}
	slices.SortFunc(faults, func(a, b resource.FieldError) int { return strings.Compare(a.Pointer, b.Pointer) })
	const shown = 10
	faults = faults[:min(len(faults), shown)]
	return problem(resource.CodeUnknownField, "The body has fields that are not known.", faults...)
}

// invalid is the problem of a body with such faults, or nil.
func invalid(faults []resource.FieldError) error {
	if len(faults) == 0 {
		return nil
	}
	return problem(resource.CodeInvalidField, "The body has fields that are not as they must be.", faults...)
}

// field names a top-level member of the body and what is wrong with it.
func field(name, message string) resource.FieldError {
	token := strings.NewReplacer("~", "~0", "/", "~1").Replace(shortened(name))
	return resource.FieldError{Pointer: "/" + token, Message: message}
}

// kindOf says in words what a member must be.
func kindOf(value reflect.Value) string {
	switch value.Interface().(type) {
	case time.Time:
		return "a time such as 2026-11-23T10:00:00Z"
	case saga.Duration:
		return "a duration such as 30s"
	case map[string]string:
		return "an object whose values are strings"
	case json.RawMessage:
		return "JSON"
	}
	if value.Kind() == reflect.String {
		return "a string"
	}
	return "a whole number within its limits"
}

// isObject says whether a checked document is a JSON object.
func isObject(raw json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) }

func isNull(raw json.RawMessage) bool { return bytes.Equal(bytes.TrimSpace(raw), []byte("null")) }

// optionalObject reads a member that is a JSON object where it is given: nil where it is not.
func optionalObject(name string, raw json.RawMessage, faults *[]resource.FieldError) json.RawMessage {
	if len(raw) == 0 || isNull(raw) {
		return nil
	}
	if !isObject(raw) {
		*faults = append(*faults, field(name, "must be a JSON object"))
	}
	return bytes.Clone(raw)
}

func decimal[T ~int | ~int64](number T) string { return strconv.FormatInt(int64(number), 10) }
