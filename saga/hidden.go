package saga

import (
	"encoding/json"
	"slices"
)

// maxHidden bounds the pointers that an instance keeps for its relatives; with more of them all of its data is sensitive.
const maxHidden = 1000

// Hides reports whether something in the instance is sensitive: by its definition, or because it came from its parent or from
// a child whose definition says so.
func (d *Definition) Hides(in *Instance) bool {
	return len(d.Sensitive) > 0 || len(in.Hidden) > 0 || in.Parent != nil && len(in.Parent.Hidden) > 0
}

// Within returns the definition with everything that is sensitive in the instance, for Mask and its like.
func (d *Definition) Within(in *Instance) *Definition {
	if len(d.Sensitive) > 0 && len(in.Hidden) == 0 && in.Parent == nil || !d.Hides(in) {
		return d
	}
	within := *d
	within.Sensitive = d.HiddenIn(in)
	within.hidden = newSensitiveTree(within.Sensitive)
	return &within
}

// HiddenIn returns pointers to all that is sensitive in the data of an instance.
func (d *Definition) HiddenIn(in *Instance) []Pointer {
	all := slices.Concat(d.Sensitive, in.Hidden)
	if in.Parent != nil {
		all = append(all, in.Parent.Hidden...)
	}
	return distinctPointers(all)
}

// distinctPointers sorts pointers. Too many become one to the whole.
func distinctPointers(pointers []Pointer) []Pointer {
	slices.Sort(pointers)
	pointers = slices.Compact(pointers)
	if len(pointers) > maxHidden {
		return []Pointer{""}
	}
	return pointers
}

// hiddenFromParent returns pointers to what is sensitive in the data that the child of step i starts with.
func (t *transition) hiddenFromParent(i int) []Pointer {
	if !t.def.Hides(&t.next) {
		return nil
	}
	all := t.def.HiddenIn(&t.next)
	input := t.def.Steps[i].Input
	if input == nil {
		return all
	}
	tree := newSensitiveTree(all)
	var found []Pointer
	for name, from := range input {
		if node := tree.at(from); node != nil {
			found = node.pointers("/"+Pointer(PointerToken(name)), found)
		}
	}
	return distinctPointers(found)
}

// pointers appends pointers to what is sensitive below a place.
func (n *sensitiveNode) pointers(at Pointer, found []Pointer) []Pointer {
	if n.whole {
		return append(found, at)
	}
	for token, member := range n.members {
		found = member.pointers(at+"/"+Pointer(PointerToken(token)), found)
	}
	return found
}

// hideOutput marks what is sensitive in the output of step i, the data of its child, as sensitive in the data of the saga.
func (t *transition) hideOutput(i int, output json.RawMessage, hidden []Pointer) {
	if len(hidden) == 0 {
		return
	}
	under := Pointer("")
	if member := t.def.Steps[i].OutputAs; member != "" {
		under = "/" + Pointer(PointerToken(member))
	}
	all := slices.Clone(t.next.Hidden)
	for _, pointer := range hidden {
		if pointer != "" || under != "" {
			all = append(all, under+pointer)
			continue
		}
		for name := range members(output) {
			all = append(all, "/"+Pointer(PointerToken(name)))
		}
	}
	t.next.Hidden = distinctPointers(all)
}
