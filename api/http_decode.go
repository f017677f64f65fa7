package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/rawjson"
)

// decode decodes a checked body into a struct: names are case-sensitive, unknown members are refused, and null counts as
// absent, unless the tag null of the member refuses it: what would protect the caller must not vanish. check then validates the result. The error lists all faults, at most one for each member.
func decode[T any](content []byte, check func(T) []resource.FieldError) (T, error) {
	var into T
	list, ok := rawjson.Members(content)
	if !ok {
		return into, problem(resource.CodeInvalidField, "The body must be a JSON object.")
	}
	members := make(map[string]json.RawMessage, len(list))
	for _, member := range list {
		members[member.Name] = member.Value
	}
	var faults []resource.FieldError
	value := reflect.ValueOf(&into).Elem()
	for i := range value.NumField() {
		member := value.Type().Field(i)
		name, _, _ := strings.Cut(member.Tag.Get("json"), ",")
		raw, given := members[name]
		delete(members, name)
		if given && isNull(raw) && member.Tag.Get("null") == "refused" {
			faults = append(faults, field(name, "must not be null: omit it, or set a value"))
		}
		if given && !isNull(raw) && !readMember(raw, member, value.Field(i)) {
			faults = append(faults, field(name, "must be "+kindOf(member)))
		}
	}
	for _, fault := range check(into) {
		if !slices.ContainsFunc(faults, func(known resource.FieldError) bool { return known.Pointer == fault.Pointer }) {
			faults = append(faults, fault)
		}
	}
	if len(members) > 0 {
		return into, problem(resource.CodeUnknownField, "The body has unknown fields.",
			append(unknownFields(members), faults...)...)
	}
	return into, invalid(faults)
}

// readMember decodes one member and reports whether its value is valid. An explicit zero is invalid where zero stands for
// an absent member.
func readMember(raw json.RawMessage, member reflect.StructField, into reflect.Value) bool {
	if member.Type == reflect.TypeFor[json.RawMessage]() {
		into.SetBytes(raw)
		return true
	}
	if !exactNames(raw, member.Type) {
		return false
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields() // of objects inside
	if decoder.Decode(into.Addr().Interface()) != nil {
		return false
	}
	zeroIsAbsent := member.Tag.Get("minimum") != "" || member.Tag.Get("exclusiveMinimum") != "" ||
		member.Tag.Get("minLength") != "" || member.Type == reflect.TypeFor[saga.Duration]()
	return !zeroIsAbsent || !into.IsZero()
}

// exactNames reports whether the members of an object inside are spelled as its type has them, because encoding/json ignores
// case, and whether no value of an object of strings is null, which encoding/json takes for an empty string.
func exactNames(raw json.RawMessage, kind reflect.Type) bool {
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	members, ok := rawjson.Members(raw)
	switch {
	case !ok || kind.Kind() != reflect.Struct && kind.Kind() != reflect.Map || reflect.PointerTo(kind).Implements(reflect.TypeFor[json.Unmarshaler]()):
		return true // the decoder judges it
	case kind.Kind() == reflect.Map:
		return kind.Elem().Kind() != reflect.String || !slices.ContainsFunc(members, func(m rawjson.Member) bool { return isNull(m.Value) })
	}
	fields := make(map[string]reflect.Type)
	for field := range kind.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		fields[name] = field.Type
	}
	for _, member := range members {
		if inner, known := fields[member.Name]; !known || !exactNames(member.Value, inner) {
			return false
		}
	}
	return true
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

// invalid returns the problem of a body with these faults, or nil if there are none.
func invalid(faults []resource.FieldError) error {
	if len(faults) == 0 {
		return nil
	}
	return problem(resource.CodeInvalidField, "The body has invalid fields.", faults...)
}

// field returns the fault of a top-level member of the body.
func field(name, message string) resource.FieldError {
	return resource.FieldError{Pointer: "/" + saga.PointerToken(shortened(name)), Message: message}
}

// kindOf describes the valid values of a member.
func kindOf(member reflect.StructField) string {
	switch member.Type {
	case reflect.TypeFor[time.Time]():
		return "a time such as 2026-11-23T10:00:00Z"
	case reflect.TypeFor[saga.Duration]():
		return "a duration such as 30s, from " + saga.MinInterval.String() + " to " + saga.MaxDuration.String()
	case reflect.TypeFor[map[string]string]():
		return "an object whose values are strings"
	case reflect.TypeFor[json.RawMessage]():
		return "JSON"
	}
	kind := member.Type
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	switch {
	case kind == reflect.TypeFor[time.Time]():
		return "a time such as 2026-11-23T10:00:00Z"
	case kind == reflect.TypeFor[texts]():
		return "a list of strings"
	case kind.Kind() == reflect.Bool:
		return "true or false"
	case kind.Kind() == reflect.Float64:
		if most := member.Tag.Get("maximum"); most != "" {
			return "a number above 0, at most " + most
		}
		return "a number"
	}
	least, most := member.Tag.Get("minimum"), member.Tag.Get("maximum")
	switch {
	case kind.Kind() == reflect.String && member.Tag.Get("minLength") != "":
		return "a string that is not empty"
	case kind.Kind() == reflect.String:
		return "a string"
	case kind.Kind() == reflect.Struct:
		return "an object of " + strings.Join(namesOf(kind), " and ")
	case most != "":
		return "a whole number from " + cmp.Or(least, "0") + " to " + most
	case least != "":
		return "a whole number, " + least + " or more"
	default:
		return "a whole number"
	}
}

// namesOf returns the names of the members of an object.
func namesOf(object reflect.Type) (names []string) {
	for member := range object.Fields() {
		name, _, _ := strings.Cut(member.Tag.Get("json"), ",")
		names = append(names, name)
	}
	return names
}

// isObject reports whether a checked document is a JSON object.
func isObject(raw json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(raw), []byte("{")) }

func isNull(raw json.RawMessage) bool { return bytes.Equal(bytes.TrimSpace(raw), []byte("null")) }

// optionalObject returns an optional member that must be a JSON object; nil if it is absent.
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
