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
// refused, and null counts as absent. check looks at what was read. All faults are told at once, but one for a member.
func decode[T any](content []byte, check func(T) []resource.FieldError) (T, error) {
	var into T
	var members map[string]json.RawMessage
	if err := json.Unmarshal(content, &members); err != nil || members == nil {
		return into, problem(resource.CodeInvalidField, "The body must be a JSON object.")
	}
	var faults []resource.FieldError
	value := reflect.ValueOf(&into).Elem()
	for i := range value.NumField() {
		member := value.Type().Field(i)
		name, _, _ := strings.Cut(member.Tag.Get("json"), ",")
		raw, given := members[name]
		delete(members, name)
		if given && !isNull(raw) && !readMember(raw, member, value.Field(i)) {
			faults = append(faults, field(name, "must be "+kindOf(member)))
		}
	}
	for _, fault := range check(into) {
		if !slices.ContainsFunc(faults, func(told resource.FieldError) bool { return told.Pointer == fault.Pointer }) {
			faults = append(faults, fault)
		}
	}
	if len(members) > 0 {
		return into, problem(resource.CodeUnknownField, "The body has fields that are not known.",
			append(unknownFields(members), faults...)...)
	}
	return into, invalid(faults)
}

// readMember reads one member, and says whether it is what it must be. Where zero stands for an absent member, it is no
// value that may be given: who gives it means something else.
func readMember(raw json.RawMessage, member reflect.StructField, into reflect.Value) bool {
	if json.Unmarshal(raw, into.Addr().Interface()) != nil {
		return false
	}
	zeroIsAbsent := member.Tag.Get("minimum") != "" || member.Type == reflect.TypeFor[saga.Duration]()
	return !zeroIsAbsent || !into.IsZero()
}

func unknownFields(members map[string]json.RawMessage) []resource.FieldError {
	var faults []resource.FieldError
	for name := range members {
		faults = append(faults, field(name, "is not a known field"))
	}
	slices.SortFunc(faults, func(a, b resource.FieldError) int { return strings.Compare(a.Pointer, b.Pointer) })
	const shown = 10
	return faults[:min(len(faults), shown)]
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
func kindOf(member reflect.StructField) string {
	switch member.Type {
	case reflect.TypeFor[time.Time]():
		return "a time such as 2026-11-23T10:00:00Z"
	case reflect.TypeFor[saga.Duration]():
		return "a duration such as 30s"
	case reflect.TypeFor[map[string]string]():
		return "an object whose values are strings"
	case reflect.TypeFor[json.RawMessage]():
		return "JSON"
	}
	least, most := member.Tag.Get("minimum"), member.Tag.Get("maximum")
	switch {
	case member.Type.Kind() == reflect.String:
		return "a string"
	case most != "":
		return "a whole number from 0 to " + most
	case least != "":
		return "a whole number, " + least + " or more"
	default:
		return "a whole number"
	}
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
