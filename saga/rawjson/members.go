package rawjson

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"unicode/utf8"
)

// Member is a member of an object. Value is a part of the document's text.
type Member struct {
	Name  string
	Value json.RawMessage
}

// Members returns the members of an object in their order, and false if the document is not a valid JSON object. A repeated
// name is returned repeatedly; encoding/json takes the last one.
func Members(document []byte) (members []Member, ok bool) {
	s := scanner{text: document}
	if s.space(); s.at == len(document) || document[s.at] != '{' {
		return nil, false
	}
	members = make([]Member, 0, 8)
	ok = s.object(1, func(name, value []byte) { members = append(members, Member{unquoted(name), value}) })
	if !ok || !s.ended() {
		return nil, false
	}
	return members, true
}

// unquoted returns the content of a valid string.
func unquoted(quoted []byte) string {
	content := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(content, '\\') < 0 && utf8.Valid(content) {
		return string(content)
	}
	var text string
	_ = json.Unmarshal(quoted, &text) // cannot fail: the scanner has read it
	return text
}

// AppendCompact appends a valid document without the white space between its tokens.
func AppendCompact(to, document []byte) []byte {
	from := 0 // of what is not yet appended
	for at := 0; at < len(document); {
		switch b := document[at]; {
		case b == '"':
			at = afterString(document, at)
		case space(b):
			to = append(to, document[from:at]...)
			at++
			from = at
		default:
			at++
		}
	}
	return append(to, document[from:]...)
}

// afterString returns the position after the string that begins at a position.
func afterString(document []byte, at int) int {
	for at = NextSpecial(document, at+1); at < len(document); at = NextSpecial(document, at) {
		switch document[at] {
		case '"':
			return at + 1
		case '\\':
			at += 2
		default:
			at++
		}
	}
	return len(document)
}

// AppendObject appends an object with these members, sorted by name, whose values must be valid documents.
func AppendObject(to []byte, members map[string]json.RawMessage) []byte {
	to = append(to, '{')
	for i, name := range slices.Sorted(maps.Keys(members)) {
		if i > 0 {
			to = append(to, ',')
		}
		to = append(AppendString(to, name), ':')
		to = AppendCompact(to, members[name])
	}
	return append(to, '}')
}

// AppendString appends a string in quotes. It escapes nothing for HTML, so that text leaves as it came.
func AppendString(to []byte, text string) []byte {
	if plain(text) {
		return append(append(append(to, '"'), text...), '"')
	}
	var quoted bytes.Buffer
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string always encodes
	return append(to, bytes.TrimSuffix(quoted.Bytes(), []byte("\n"))...)
}

// plain reports whether a string needs no escapes.
func plain(text string) bool {
	for i := range len(text) {
		if b := text[i]; b < ' ' || b >= utf8.RuneSelf || b == '"' || b == '\\' || b == 0x7f {
			return false
		}
	}
	return true
}
