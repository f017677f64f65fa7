package steps

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/saga-orchestrator/orchestrator/saga/rawjson"
)

// decoder decodes the data of a saga into a type. Members without a field in the type are not decoded, because a saga's data
// may be large, and a step usually reads a part of it.
type decoder struct {
	fields []string // names of the members to decode
	whole  bool     // decode all
}

// decoderOf returns the decoder of a type.
func decoderOf(t reflect.Type) decoder {
	fields, known := fieldsOf(t, nil)
	return decoder{fields: fields, whole: !known}
}

// fieldsOf returns the names of the members that encoding/json may decode into fields of a struct, and false for a type that
// may read any member.
func fieldsOf(t reflect.Type, outer []reflect.Type) (names []string, known bool) {
	if t.Kind() != reflect.Struct || slices.Contains(outer, t) || decodesItself(t) {
		return nil, false
	}
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Tag.Get("json") == "-" || !field.IsExported() && !field.Anonymous:
		case field.Anonymous && name == "":
			inner := field.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			if inner.Kind() != reflect.Struct {
				names = append(names, field.Name)
				continue
			}
			promoted, known := fieldsOf(inner, append(outer, t))
			if !known {
				return nil, false
			}
			names = append(names, promoted...)
		case name == "":
			names = append(names, field.Name)
		default:
			names = append(names, name)
		}
	}
	return names, true
}

// decodesItself reports whether encoding/json leaves the type, or a pointer to it, to a method.
func decodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(reflect.TypeFor[json.Unmarshaler]()) || p.Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// decode is json.Unmarshal, except that faults within members that have no field go unnoticed.
func (d decoder) decode(document json.RawMessage, into any) error {
	if raw, ok := into.(*json.RawMessage); ok {
		*raw = document
		return nil
	}
	if d.whole {
		return json.Unmarshal(document, into)
	}
	members, ok := rawjson.Members(document)
	if !ok { // its error says why
		return json.Unmarshal(document, into)
	}
	var wanted []byte
	for _, member := range members {
		if !slices.ContainsFunc(d.fields, func(field string) bool { return strings.EqualFold(field, member.Name) }) {
			continue
		}
		wanted = append(wanted, ',')
		wanted = append(append(rawjson.AppendString(wanted, member.Name), ':'), member.Value...)
	}
	if len(wanted) == 0 {
		return nil
	}
	wanted[0] = '{'
	return json.Unmarshal(append(wanted, '}'), into)
}
