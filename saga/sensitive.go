package saga

import (
	"encoding/json"
	"strconv"
)

// MaxSensitive is the number of pointers to sensitive members of a definition.
const MaxSensitive = 100

// Sensitive marks members of the data, and of outputs, by JSON pointers into the data such as "/card". Viewers, logs and
// lifecycle events get "***" instead of their values; workers and operators get the values.
func (b *Builder) Sensitive(pointers ...Pointer) *Builder {
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
		if !pointer.valid() {
			faults.add(at, "must be a JSON pointer of at most %d bytes, such as /customer/email", MaxPointer)
		}
	}
}

// sensitive reads the member. Stored pointers that this version cannot read make the whole data sensitive: they must not stop
// sagas, and must not reveal anything.
func (r *definitionReader) sensitive(raw json.RawMessage) []Pointer {
	var pointers []Pointer
	own := definitionReader{}
	read(&own, "/sensitive", raw, "an array of JSON pointers", &pointers)
	if !r.lenient {
		r.faults = append(r.faults, own.faults...)
		return pointers
	}
	for _, pointer := range pointers {
		if !pointer.valid() {
			own.faults.add("/sensitive", "unreadable")
		}
	}
	if len(own.faults) > 0 {
		return []Pointer{""}
	}
	return pointers
}

// sensitiveNode is a place in the data: it is sensitive as a whole, or some of its members are.
type sensitiveNode struct {
	whole   bool
	members map[string]*sensitiveNode
}

func newSensitiveTree(pointers []Pointer) *sensitiveNode {
	if len(pointers) == 0 {
		return nil
	}
	root := &sensitiveNode{}
	for _, pointer := range pointers {
		node := root
		for _, token := range pointer.tokens() {
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

// at returns what is sensitive below a pointer; nil: nothing.
func (n *sensitiveNode) at(pointer Pointer) *sensitiveNode {
	for _, token := range pointer.tokens() {
		if n == nil || n.whole {
			return n
		}
		n = n.members[token]
	}
	return n
}
