package saga

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Pointer is a JSON pointer (RFC 6901) into the data of a saga.
type Pointer string

// UnmarshalJSON refuses null, which would become the pointer to everything.
func (p *Pointer) UnmarshalJSON(raw []byte) error {
	var text *string
	if err := json.Unmarshal(raw, &text); err != nil {
		return err
	}
	if text == nil {
		return errors.New("null is not a JSON pointer")
	}
	*p = Pointer(*text)
	return nil
}

// MaxPointer is the longest pointer of a definition, in bytes.
const MaxPointer = 256

// valid reports whether the pointer is well-formed: empty, or tokens that each follow a slash.
func (p Pointer) valid() bool {
	text := string(p)
	if text == "" {
		return true
	}
	if text[0] != '/' || len(text) > MaxPointer || !utf8.ValidString(text) || strings.Contains(text, "\x00") {
		return false
	}
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "~")
		if !found {
			return true
		}
		if after == "" || after[0] != '0' && after[0] != '1' {
			return false
		}
		rest = after
	}
}

// document is a JSON document to look pointers up in. It decodes each object and array once.
type document struct {
	whole   json.RawMessage
	objects map[string]map[string]json.RawMessage // by pointer
	arrays  map[string][]json.RawMessage
}

func newDocument(whole json.RawMessage) *document {
	return &document{
		whole: whole, objects: make(map[string]map[string]json.RawMessage), arrays: make(map[string][]json.RawMessage),
	}
}

// find returns the value at a pointer, or false if there is none.
func (d *document) find(p Pointer) (json.RawMessage, bool) {
	value, at := d.whole, 0
	text := string(p)
	for at < len(text) {
		token, _, _ := strings.Cut(text[at+1:], "/")
		var found bool
		if value, found = d.child(text[:at], value, unescapePointer(token)); !found {
			return nil, false
		}
		at += 1 + len(token)
	}
	return value, true
}

// child returns the member or element of a value that stands at a pointer.
func (d *document) child(at string, value json.RawMessage, token string) (json.RawMessage, bool) {
	switch firstByte(value) {
	case '{':
		object, known := d.objects[at]
		if !known {
			object = members(value)
			d.objects[at] = object
		}
		found, exists := object[token]
		return found, exists
	case '[':
		array, known := d.arrays[at]
		if !known {
			if json.Unmarshal(value, &array) != nil {
				return nil, false
			}
			d.arrays[at] = array
		}
		index, err := strconv.Atoi(token)
		if err != nil || index < 0 || index >= len(array) || strconv.Itoa(index) != token {
			return nil, false
		}
		return array[index], true
	default:
		return nil, false
	}
}

// tokens returns the names and positions that lead to the value. The pointer must be valid.
func (p Pointer) tokens() []string {
	if p == "" {
		return nil
	}
	tokens := strings.Split(string(p[1:]), "/")
	for i := range tokens {
		tokens[i] = unescapePointer(tokens[i])
	}
	return tokens
}

// PointerToken writes a name as a token of a JSON pointer (RFC 6901).
func PointerToken(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

func firstByte(raw json.RawMessage) byte {
	for _, c := range raw {
		if strings.IndexByte(jsonSpace, c) < 0 {
			return c
		}
	}
	return 0
}

func unescapePointer(token string) string {
	return strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
}
