package schema

import (
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// branch counts an if, and the branch that the library takes: with both, a chain of alternatives would cost a power of what it
// does. The if is evaluated for that, once its own cost is spent.
func (m *meter) branch(s *jsonschema.Schema, value any, depth, place int) {
	if s.If == nil || s.Then == nil && s.Else == nil {
		m.visit(s.If, value, depth+1, place+1)
		return
	}
	before := m.left
	m.visit(s.If, value, depth+1, place+1)
	m.spend(max(before-m.left, 0))
	if m.left < 0 {
		return
	}
	if m.facts.dynamicScope() {
		m.visit(s.Then, value, depth+1, place+1)
		m.visit(s.Else, value, depth+1, place+1)
		return
	}
	if s.If.Validate(value) == nil {
		m.visit(s.Then, value, depth+1, place+1)
	} else {
		m.visit(s.Else, value, depth+1, place+1)
	}
}

// mistyped reports whether a value is of a type that a schema does not allow. A number may be an integer.
func (f *facts) mistyped(s *jsonschema.Schema, value any) bool {
	allowed := f.types[s]
	if len(allowed) == 0 {
		return false
	}
	var is []string
	switch value.(type) {
	case map[string]any:
		is = []string{"object"}
	case []any:
		is = []string{"array"}
	case string:
		is = []string{"string"}
	case bool:
		is = []string{"boolean"}
	case nil:
		is = []string{"null"}
	default:
		is = []string{"number", "integer"}
	}
	return !slices.ContainsFunc(is, func(name string) bool { return slices.Contains(allowed, name) })
}

// dynamicScope reports whether a part of the schema depends on what refers to it, so that it cannot be evaluated alone.
func (f *facts) dynamicScope() bool { return len(f.anchors) > 0 || len(f.recursive) > 0 }
