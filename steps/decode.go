package steps

import (
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

// decoderOf returns the decoder of a type. It finds the member of a field as encoding/json does.
func decoderOf(t reflect.Type) decoder {
	if t.Kind() != reflect.Struct || decodesItself(t) {
		return decoder{whole: true}
	}
	var names []string
	for _, f := range fieldsOf(t) {
		names = append(names, f.name)
	}
	return decoder{fields: names}
}

// wants reports whether a member is for a field. One that differs in upper and lower case gives way to the member with exactly
// the name: only that can be what another handler has written from such a field.
func (d decoder) wants(name string, members []rawjson.Member) bool {
	if slices.Contains(d.fields, name) {
		return true
	}
	return slices.ContainsFunc(d.fields, func(field string) bool {
		return strings.EqualFold(field, name) && !slices.ContainsFunc(members, func(m rawjson.Member) bool { return m.Name == field })
	})
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
	wanted := []byte{'{'}
	for _, member := range members {
		if !d.wants(member.Name, members) {
			continue
		}
		if len(wanted) > 1 {
			wanted = append(wanted, ',')
		}
		wanted = append(append(rawjson.AppendString(wanted, member.Name), ':'), member.Value...)
	}
	if len(wanted) == 1 {
		return nil
	}
	return json.Unmarshal(append(wanted, '}'), into)
}

// spelling returns the names that the data has for fields that are read from a member of another case, by the name of the field.
// What a step changes of such a field must go under that name, or the next step would read the old value.
func (d decoder) spelling(document json.RawMessage) map[string]string {
	members, ok := rawjson.Members(document)
	if d.whole || !ok {
		return nil
	}
	var names map[string]string
	for _, member := range members {
		if slices.Contains(d.fields, member.Name) || !d.wants(member.Name, members) {
			continue
		}
		for _, field := range d.fields {
			if strings.EqualFold(field, member.Name) {
				if names == nil {
					names = make(map[string]string)
				}
				names[field] = member.Name // encoding/json takes the last one, too
			}
		}
	}
	return names
}
