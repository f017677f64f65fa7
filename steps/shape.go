package steps

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/saga-orchestrator/orchestrator/saga/rawjson"
)

// shape is what a type reads of a JSON document. encoding/json also decodes a member whose name differs from that of a field in
// upper and lower case only, but encodes the field under its own name: a step would write "Amount" beside "amount", and the
// next step would read the old value. With a shape only the exact name counts, at every depth. A nil shape is that of a type
// without fields, or with a decoding method of its own.
type shape struct {
	fields   map[string]*shape // of a struct, by the name of the member
	elements *shape            // of a slice, an array or a map
}

// shapeOf returns the shape of a type. known has the types that are found so far, as a type may contain itself.
func shapeOf(t reflect.Type, known map[reflect.Type]*shape) *shape {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if found, ok := known[t]; ok || decodesItself(t) {
		return found
	}
	switch t.Kind() {
	case reflect.Struct:
		own := &shape{fields: make(map[string]*shape)}
		known[t] = own
		for _, f := range fieldsOf(t) {
			own.fields[f.name] = shapeOf(f.typ, known)
		}
		return own
	case reflect.Slice, reflect.Array, reflect.Map:
		own := &shape{}
		known[t] = own
		if own.elements = shapeOf(t.Elem(), known); own.elements == nil {
			known[t] = nil
		}
		return known[t]
	default:
		return nil
	}
}

// exactDecoder decodes the data of a typed saga. Like decoder it leaves members alone that have no field.
type exactDecoder struct {
	shape *shape
	// names are those of all fields at every depth. Only a document with another name that differs from one of them in upper and
	// lower case needs to be read member by member, which costs as much as decoding it.
	names map[string]bool
	alike bool // two of the names differ only so
}

func exactDecoderOf(t reflect.Type) exactDecoder {
	known := make(map[reflect.Type]*shape)
	d := exactDecoder{shape: shapeOf(t, known), names: make(map[string]bool)}
	for _, found := range known {
		if found == nil {
			continue
		}
		for name := range found.fields {
			d.alike = d.alike || !d.names[name] && d.suspect([]byte(name))
			d.names[name] = true
		}
	}
	return d
}

// suspect reports whether a name may differ from that of a field in upper and lower case only. A name with escapes may.
func (d exactDecoder) suspect(name []byte) bool {
	if d.names[string(name)] {
		return false
	}
	if bytes.IndexByte(name, '\\') >= 0 {
		return true
	}
	for field := range d.names {
		if strings.EqualFold(field, string(name)) {
			return true
		}
	}
	return false
}

// decode decodes a document.
func (d exactDecoder) decode(document json.RawMessage, into any) error {
	members, isObject := rawjson.Members(document)
	if d.shape == nil || !isObject {
		return json.Unmarshal(document, into)
	}
	if d.shape.fields == nil {
		return json.Unmarshal(d.exact(d.shape, document), into)
	}
	var wanted []byte
	for _, member := range members {
		if inner, exact := d.shape.fields[member.Name]; exact {
			wanted = appendMember(wanted, member.Name, d.exact(inner, member.Value))
		}
	}
	return json.Unmarshal(closed(wanted, '{', '}'), into)
}

func (d exactDecoder) exact(s *shape, document json.RawMessage) json.RawMessage {
	if s == nil || !d.alike && !rawjson.AnyName(document, d.suspect) {
		return document
	}
	return s.exact(document)
}

// exact returns the document without the members that encoding/json would decode into a field of another name. A document
// without any, or of another form than the type, is returned as it is: decoding it has the error.
func (s *shape) exact(document json.RawMessage) json.RawMessage {
	if s == nil {
		return document
	}
	if members, ok := rawjson.Members(document); ok {
		return s.exactObject(document, members)
	}
	if elements, ok := rawjson.Elements(document); ok && s.elements != nil {
		return s.exactArray(document, elements)
	}
	return document
}

// exactObject copies only a document that changes, as most have no such member.
func (s *shape) exactObject(document json.RawMessage, members []rawjson.Member) json.RawMessage {
	var kept []byte
	changed := false
	for i, member := range members {
		inner, exact := s.elements, true
		if s.fields != nil {
			inner, exact = s.fields[member.Name]
		}
		dropped := !exact && s.folds(member.Name)
		value := inner.exact(member.Value)
		if !changed && (dropped || !same(value, member.Value)) {
			changed = true
			for _, before := range members[:i] {
				kept = appendMember(kept, before.Name, before.Value)
			}
		}
		if changed && !dropped {
			kept = appendMember(kept, member.Name, value)
		}
	}
	if !changed {
		return document
	}
	return closed(kept, '{', '}')
}

func (s *shape) exactArray(document json.RawMessage, elements []json.RawMessage) json.RawMessage {
	changed := false
	for i, element := range elements {
		elements[i] = s.elements.exact(element)
		changed = changed || !same(elements[i], element)
	}
	if !changed {
		return document
	}
	var kept []byte
	for _, element := range elements {
		kept = append(append(kept, ','), element...)
	}
	return closed(kept, '[', ']')
}

// same reports whether two texts are one. No document is empty.
func same(a, b json.RawMessage) bool { return len(a) == len(b) && &a[0] == &b[0] }

// folds reports whether the name differs from that of a field in upper and lower case only.
func (s *shape) folds(name string) bool {
	for field := range s.fields {
		if strings.EqualFold(field, name) {
			return true
		}
	}
	return false
}

// appendMember appends a member after a comma.
func appendMember(to []byte, name string, value json.RawMessage) []byte {
	return append(append(rawjson.AppendString(append(to, ','), name), ':'), value...)
}

// closed puts brackets around a list, whose first comma gives way to the opening one.
func closed(list []byte, begin, end byte) []byte {
	if len(list) == 0 {
		return []byte{begin, end}
	}
	list[0] = begin
	return append(list, end)
}
