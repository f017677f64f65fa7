package steps

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"unicode"

	"github.com/saga-orchestrator/orchestrator/saga"
)

// field is a field of a struct that encoding/json reads and writes.
type field struct {
	name      string // of the member
	typ       reflect.Type
	tagged    bool // a tag gives the name
	omitsZero bool
}

// fieldsOf returns the fields of a struct by the rules of encoding/json: the fields of an embedded struct are among them, and of
// several with one name counts the least nested one, or the only one of these with a tag.
func fieldsOf(t reflect.Type) (fields []field) {
	taken, visited := make(map[string]bool), make(map[reflect.Type]bool)
	for level := []reflect.Type{t}; len(level) > 0; {
		var found []field
		var deeper []reflect.Type
		for _, outer := range level {
			if visited[outer] {
				continue
			}
			for own := range outer.Fields() {
				next, inner := fieldOf(own)
				if inner != nil {
					deeper = append(deeper, inner)
				} else if next.name != "" && !taken[next.name] {
					found = append(found, next)
				}
			}
		}
		for _, outer := range level {
			visited[outer] = true
		}
		fields = append(fields, dominant(found, taken)...)
		level = deeper
	}
	return fields
}

// fieldOf returns a field of a struct, or the struct that it embeds. The name is empty if encoding/json ignores it.
func fieldOf(own reflect.StructField) (found field, embedded reflect.Type) {
	tag := own.Tag.Get("json")
	inner := own.Type
	if inner.Kind() == reflect.Pointer && inner.Name() == "" {
		inner = inner.Elem()
	}
	if tag == "-" || !own.IsExported() && (!own.Anonymous || inner.Kind() != reflect.Struct) {
		return field{}, nil
	}
	name, options, _ := strings.Cut(tag, ",")
	if !isTagName(name) {
		name = ""
	}
	if name == "" && own.Anonymous && inner.Kind() == reflect.Struct {
		return field{}, inner
	}
	found = field{name: name, typ: own.Type, tagged: name != "", omitsZero: strings.Contains(","+options+",", ",omitzero,")}
	if name == "" {
		found.name = own.Name
	}
	return found, nil
}

// isTagName reports whether encoding/json accepts the name that a tag gives.
func isTagName(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool {
		return !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", r) && !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
}

// dominant returns the fields that count of those at one depth, and marks their names as taken.
func dominant(found []field, taken map[string]bool) (fields []field) {
	all, tagged := make(map[string]int), make(map[string]int)
	for _, f := range found {
		all[f.name]++
		if f.tagged {
			tagged[f.name]++
		}
		taken[f.name] = true
	}
	for _, f := range found {
		if all[f.name] == 1 || f.tagged && tagged[f.name] == 1 {
			fields = append(fields, f)
		}
	}
	return fields
}

// decodesItself reports whether encoding/json leaves the type, or a pointer to it, to a method.
func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// encodesItself is decodesItself for encoding.
func encodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Marshaler]()) || p.Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// unencodable returns the first part of a type that never encodes to JSON, such as "member /notify has the type chan int"; empty
// if there is none. at is the JSON pointer to the type, and seen are types without a fault. What an interface holds is not known; a
// field with omitzero is left out while it is empty.
func unencodable(t reflect.Type, at string, seen map[reflect.Type]bool) string {
	if seen[t] || encodesItself(t) {
		return ""
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return "member " + at + " has the type " + t.String()
	case reflect.Pointer:
		return unencodable(t.Elem(), at, seen)
	case reflect.Slice, reflect.Array:
		return unencodable(t.Elem(), at+"/*", seen)
	case reflect.Map:
		if !isKey(t.Key()) {
			return "member " + at + " is a map with keys of the type " + t.Key().String()
		}
		return unencodable(t.Elem(), at+"/*", seen)
	case reflect.Struct:
		for _, f := range fieldsOf(t) {
			if f.omitsZero {
				continue
			}
			if fault := unencodable(f.typ, at+"/"+saga.PointerToken(f.name), seen); fault != "" {
				return fault
			}
		}
	default:
	}
	return ""
}

// isKey reports whether encoding/json encodes keys of the type.
func isKey(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return true
	default:
		return t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
	}
}
