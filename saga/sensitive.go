package saga

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of the sensitive members of a definition.
const (
	MaxSensitive        = 100
	MaxSensitivePointer = 256 // bytes
)

// Masked is what callers see in place of a sensitive value.
const Masked = "***"

// minSecret is the shortest value in bytes that Redactor finds in texts. Shorter ones are parts of many words.
const minSecret = 4

// Sensitive marks members of the data, and of outputs, by JSON pointers into the data such as "/card". Viewers, logs and
// lifecycle events get "***" instead of their values; workers and operators get the values.
func (b *Builder) Sensitive(pointers ...string) *Builder {
	b.draft.sensitive = append(b.draft.sensitive, pointers...)
	return b
}

func (d *Definition) checkSensitive(faults *Faults) {
	if len(d.Sensitive) > MaxSensitive {
		faults.add("/sensitive", "more than %d pointers", MaxSensitive)
		return
	}
	for i, pointer := range d.Sensitive {
		at := "/sensitive/" + strconv.Itoa(i)
		switch _, valid := pointerTokens(pointer); {
		case len(pointer) > MaxSensitivePointer:
			faults.add(at, "longer than %d bytes", MaxSensitivePointer)
		case !valid:
			faults.add(at, `must be a JSON pointer such as "/customer/email"`)
		}
	}
}

// sensitive reads the member. Stored pointers that this version cannot read make the whole data sensitive: they must not stop
// sagas, and must not reveal anything.
func (r *definitionReader) sensitive(raw json.RawMessage) []string {
	var pointers []string
	own := definitionReader{}
	read(&own, "/sensitive", raw, "an array of JSON pointers", &pointers)
	if !r.lenient {
		r.faults = append(r.faults, own.faults...)
		return pointers
	}
	for _, pointer := range pointers {
		if _, valid := pointerTokens(pointer); !valid {
			own.faults.add("/sensitive", "unreadable")
		}
	}
	if len(own.faults) > 0 {
		return []string{""}
	}
	return pointers
}

// pointerTokens splits a JSON pointer (RFC 6901) into its tokens.
func pointerTokens(pointer string) (tokens []string, valid bool) {
	if pointer == "" {
		return nil, true
	}
	if pointer[0] != '/' || !utf8.ValidString(pointer) || strings.Contains(pointer, "\x00") {
		return nil, false
	}
	for token := range strings.SplitSeq(pointer[1:], "/") {
		if rest := strings.NewReplacer("~0", "", "~1", "").Replace(token); strings.Contains(rest, "~") {
			return nil, false
		}
		tokens = append(tokens, strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~"))
	}
	return tokens, true
}

// sensitiveNode is a place in the data: it is sensitive as a whole, or some of its members are.
type sensitiveNode struct {
	whole   bool
	members map[string]*sensitiveNode
}

func newSensitiveTree(pointers []string) *sensitiveNode {
	if len(pointers) == 0 {
		return nil
	}
	root := &sensitiveNode{}
	for _, pointer := range pointers {
		tokens, _ := pointerTokens(pointer)
		node := root
		for _, token := range tokens {
			if node.members == nil {
				node.members = make(map[string]*sensitiveNode)
			}
			if node.members[token] == nil {
				node.members[token] = &sensitiveNode{}
			}
			node = node.members[token]
		}
		node.whole = true
	}
	return root
}

// Mask returns data, an output or a merge patch of the saga with "***" in place of each sensitive value. A value that stands
// in the way of a pointer, such as a text where an object was expected, is masked, too; null is not.
func (d *Definition) Mask(data json.RawMessage) json.RawMessage {
	if d.hidden == nil {
		return data
	}
	if d.hidden.whole {
		return MaskAll(data)
	}
	return d.hidden.mask(data, nil)
}

// MaskOutput is Mask for an output of a step.
func (d *Definition) MaskOutput(step string, output json.RawMessage) json.RawMessage {
	i := d.step(step)
	if d.hidden == nil || d.hidden.whole || i < 0 || d.Steps[i].OutputAs == "" {
		return d.Mask(output)
	}
	node := d.hidden.members[d.Steps[i].OutputAs]
	switch {
	case node == nil:
		return output
	case node.whole:
		return MaskAll(output)
	default:
		return node.mask(output, nil)
	}
}

// MaskInput is Mask for the data that the commands of a step carry.
func (d *Definition) MaskInput(step string, data json.RawMessage) json.RawMessage {
	i := d.step(step)
	if d.hidden == nil || d.hidden.whole || i < 0 || d.Steps[i].Input == nil {
		return d.Mask(data)
	}
	found := members(data)
	if found == nil {
		return MaskAll(data)
	}
	for name, value := range found {
		pointer, known := d.Steps[i].Input[name]
		switch node := d.hidden.at(string(pointer)); {
		case !known:
			found[name] = (&sensitiveNode{whole: true}).mask(value, nil)
		case node != nil:
			found[name] = node.mask(value, nil)
		}
	}
	return encodedOrMasked(found)
}

// at returns what is sensitive below a pointer; nil: nothing.
func (n *sensitiveNode) at(pointer string) *sensitiveNode {
	tokens, _ := pointerTokens(pointer)
	for _, token := range tokens {
		if n == nil || n.whole {
			return n
		}
		n = n.members[token]
	}
	return n
}

// MaskAll masks each member of an object, and any other value.
func MaskAll(data json.RawMessage) json.RawMessage {
	found := members(data)
	if found == nil {
		return (&sensitiveNode{whole: true}).mask(data, nil)
	}
	for name, value := range found {
		found[name] = (&sensitiveNode{whole: true}).mask(value, nil)
	}
	return encodedOrMasked(found)
}

func maskedValue() json.RawMessage { return json.RawMessage(`"` + Masked + `"`) }

func encodedOrMasked(value any) json.RawMessage {
	encoded, err := EncodeJSON(value)
	if err != nil {
		return maskedValue()
	}
	return encoded
}

// mask returns the value as masked. taken, if non-nil, is called with each value that is masked.
func (n *sensitiveNode) mask(raw json.RawMessage, taken func(json.RawMessage)) json.RawMessage {
	raw = bytes.TrimSpace(raw)
	if isNull(raw) {
		return raw
	}
	if !n.whole {
		switch raw[0] {
		case '{':
			if masked, ok := n.maskObject(raw, taken); ok {
				return masked
			}
		case '[':
			if masked, ok := n.maskArray(raw, taken); ok {
				return masked
			}
		}
	}
	if taken != nil {
		taken(raw)
	}
	return maskedValue()
}

func (n *sensitiveNode) maskObject(raw json.RawMessage, taken func(json.RawMessage)) (masked json.RawMessage, ok bool) {
	found := members(raw)
	if found == nil {
		return nil, false
	}
	changed := false
	for name, node := range n.members {
		if value, there := found[name]; there {
			found[name], changed = node.mask(value, taken), true
		}
	}
	if !changed {
		return raw, true
	}
	return encodedOrMasked(found), true
}

// maskArray requires that every token is an index: otherwise an object was expected.
func (n *sensitiveNode) maskArray(raw json.RawMessage, taken func(json.RawMessage)) (masked json.RawMessage, ok bool) {
	var elements []json.RawMessage
	if json.Unmarshal(raw, &elements) != nil {
		return nil, false
	}
	for token, node := range n.members {
		i, err := strconv.Atoi(token)
		if err != nil || i < 0 || strconv.Itoa(i) != token {
			return nil, false
		}
		if i < len(elements) {
			elements[i] = node.mask(elements[i], taken)
		}
	}
	return encodedOrMasked(elements), true
}

// Redactor returns a function that replaces the sensitive values of an instance by "***" in texts, such as a worker's error
// messages. It finds texts and numbers of four bytes or more. It returns nil if the definition has no sensitive members.
func (d *Definition) Redactor(in *Instance) func(string) string {
	if d.hidden == nil {
		return nil
	}
	secrets := make(map[string]bool)
	collect := func(raw json.RawMessage) { addSecrets(raw, secrets) }
	d.hidden.mask(in.Data, collect)
	for i := range in.Steps {
		output := d.hidden
		if i < len(d.Steps) && d.Steps[i].OutputAs != "" {
			output = d.hidden.at("/" + escapedToken(d.Steps[i].OutputAs))
		}
		if output == nil {
			continue
		}
		output.mask(in.Steps[i].Output, collect)
		if given := in.Steps[i].Signal; given != nil {
			output.mask(given.Output, collect)
		}
	}
	if in.Rewind != nil {
		d.hidden.mask(in.Rewind.Patch, collect)
	}
	ordered := make([]string, 0, len(secrets))
	for secret := range secrets {
		ordered = append(ordered, secret)
	}
	slices.SortFunc(ordered, func(a, b string) int { // the longest first: it may contain others
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	pairs := make([]string, 0, 2*len(ordered))
	for _, secret := range ordered {
		pairs = append(pairs, secret, Masked)
	}
	return strings.NewReplacer(pairs...).Replace
}

func escapedToken(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}

// addSecrets adds the texts and numbers of a value.
func addSecrets(raw json.RawMessage, secrets map[string]bool) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) == nil {
		addLeaves(value, secrets)
	}
}

func addLeaves(value any, secrets map[string]bool) {
	text := ""
	switch v := value.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	case []any:
		for _, element := range v {
			addLeaves(element, secrets)
		}
	case map[string]any:
		for _, member := range v {
			addLeaves(member, secrets)
		}
	}
	if len(text) >= minSecret {
		secrets[text] = true
	}
}
