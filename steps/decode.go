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
	var wanted []byte
	for _, member := range members {
		if d.wants(member.Name, members) {
			wanted = appendMember(wanted, member.Name, member.Value)
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	return json.Unmarshal(closed(wanted, '{', '}'), into)
}
