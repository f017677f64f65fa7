package schema

import (
	"iter"
	"maps"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// applied yields the schemas that a schema applies to the same value, without dynamic references. Some are nil.
func applied(s *jsonschema.Schema) iter.Seq[*jsonschema.Schema] {
	return func(yield func(*jsonschema.Schema) bool) {
		for _, inner := range []*jsonschema.Schema{s.Ref, s.Not, s.If, s.Then, s.Else} {
			if !yield(inner) {
				return
			}
		}
		for _, list := range [][]*jsonschema.Schema{s.AllOf, s.AnyOf, s.OneOf, sorted(s.DependentSchemas)} {
			for _, inner := range list {
				if !yield(inner) {
					return
				}
			}
		}
		for _, dependency := range s.Dependencies {
			if inner, is := dependency.(*jsonschema.Schema); is && !yield(inner) {
				return
			}
		}
	}
}

// children yields all schemas that a schema contains or refers to. Some are nil.
func children(s *jsonschema.Schema) iter.Seq[*jsonschema.Schema] {
	found := slices.Collect(applied(s))
	found = append(found,
		s.RecursiveRef, s.PropertyNames, s.UnevaluatedProperties, s.Contains, s.Items2020, s.UnevaluatedItems, s.ContentSchema)
	if s.DynamicRef != nil {
		found = append(found, s.DynamicRef.Ref)
	}
	found = append(found, sorted(s.Properties)...)
	found = slices.AppendSeq(found, maps.Values(s.PatternProperties))
	found = append(found, s.PrefixItems...)
	for _, of := range []any{s.AdditionalProperties, s.Items, s.AdditionalItems} {
		switch of := of.(type) {
		case *jsonschema.Schema:
			found = append(found, of)
		case []*jsonschema.Schema:
			found = append(found, of...)
		}
	}
	return slices.Values(found)
}

// sorted returns schemas in the order of their names, so that what is counted does not depend on that of a map.
func sorted(named map[string]*jsonschema.Schema) []*jsonschema.Schema {
	list := make([]*jsonschema.Schema, 0, len(named))
	for _, name := range slices.Sorted(maps.Keys(named)) {
		list = append(list, named[name])
	}
	return list
}
