package schema

import (
	"fmt"
	"iter"
	"math/big"
	"slices"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/saga-orchestrator/orchestrator/saga/pattern"
)

// facts is what is known of a compiled schema before any value is checked.
type facts struct {
	count     int                             // schemas, with all that they contain and refer to
	open      bool                            // one of them asks what others have not evaluated
	constants map[*jsonschema.Schema]int      // cost of comparing with the constants of a schema
	numeric   map[*jsonschema.Schema]int      // bounds that a schema compares a number with
	names     map[*jsonschema.Schema]int      // names that a schema looks up in each object
	types     map[*jsonschema.Schema][]string // types that a schema allows
	anchors   map[string][]*jsonschema.Schema // by name, the schemas that a dynamic reference may lead to
	recursive []*jsonschema.Schema            // those that $recursiveRef may lead to
	refusal   error
}

// newFacts walks over a schema, each part once.
func newFacts(root *jsonschema.Schema, patterns *engine) *facts {
	f := &facts{
		constants: make(map[*jsonschema.Schema]int), names: make(map[*jsonschema.Schema]int),
		numeric: make(map[*jsonschema.Schema]int), types: make(map[*jsonschema.Schema][]string), anchors: make(map[string][]*jsonschema.Schema),
	}
	seen := map[*jsonschema.Schema]bool{root: true}
	all := []*jsonschema.Schema{root}
	for at := 0; at < len(all); at++ {
		f.note(all[at])
		for inner := range children(all[at]) {
			if inner != nil && !seen[inner] {
				seen[inner] = true
				all = append(all, inner)
			}
		}
	}
	f.count = len(all)
	switch {
	case patterns.refused:
		f.refusal = fmt.Errorf("has a regular expression of more than %d instructions, or of more than %d together",
			pattern.MaxSize, maxPatterns)
	case f.applied(all) > maxApplied:
		f.refusal = fmt.Errorf("applies more than %d schemas to one value, through references, allOf, anyOf and the like", maxApplied)
	}
	return f
}

func (f *facts) note(s *jsonschema.Schema) {
	f.open = f.open || s.UnevaluatedProperties != nil || s.UnevaluatedItems != nil
	cost := 0
	if s.Const != nil {
		cost += weight(*s.Const)
	}
	if s.Enum != nil {
		for _, value := range s.Enum.Values {
			cost += weight(value)
		}
	}
	if cost > 0 {
		f.constants[s] = cost
	}
	bounds := 0
	for _, bound := range []*big.Rat{s.Minimum, s.Maximum, s.ExclusiveMinimum, s.ExclusiveMaximum, s.MultipleOf} {
		if bound != nil {
			bounds += 1 + (bound.Num().BitLen()+bound.Denom().BitLen())/boundBits
		}
	}
	if s.Types != nil {
		f.types[s] = s.Types.ToStrings()
	}
	if slices.Contains(f.types[s], "integer") {
		bounds++
	}
	if bounds > 0 {
		f.numeric[s] = bounds
	}
	names := len(s.Required) + len(s.DependentRequired) + len(s.DependentSchemas) + len(s.Dependencies)
	for _, required := range s.DependentRequired {
		names += len(required)
	}
	for _, required := range s.Dependencies {
		if list, is := required.([]string); is {
			names += len(list)
		}
	}
	if names > 0 {
		f.names[s] = names
	}
	if s.DynamicAnchor != "" {
		f.anchors[s.DynamicAnchor] = append(f.anchors[s.DynamicAnchor], s)
	}
	if s.RecursiveAnchor {
		f.recursive = append(f.recursive, s)
	}
}

// weight returns the cost of a comparison with a constant.
func weight(constant any) int {
	m := meter{left: maxCost}
	m.weigh(constant, 1)
	if m.left < 0 {
		return maxCost
	}
	return maxCost - m.left
}

// inPlace yields the schemas that a schema applies to the same value. Some are nil.
func (f *facts) inPlace(s *jsonschema.Schema) iter.Seq[*jsonschema.Schema] {
	return func(yield func(*jsonschema.Schema) bool) {
		for inner := range applied(s) {
			if !yield(inner) {
				return
			}
		}
		if s.DynamicRef != nil {
			for _, target := range f.dynamic(s.DynamicRef) {
				if !yield(target) {
					return
				}
			}
		}
		if s.RecursiveRef != nil {
			targets := f.recursive
			if !s.RecursiveRef.RecursiveAnchor {
				targets = []*jsonschema.Schema{s.RecursiveRef}
			}
			for _, target := range targets {
				if !yield(target) {
					return
				}
			}
		}
	}
}

// dynamic returns where a dynamic reference may lead to.
func (f *facts) dynamic(reference *jsonschema.DynamicRef) []*jsonschema.Schema {
	if reference.Anchor == "" || reference.Ref.DynamicAnchor != reference.Anchor {
		return []*jsonschema.Schema{reference.Ref}
	}
	return f.anchors[reference.Anchor]
}

// applied returns the largest number of schemas that apply at one place, up to one more than the limit. It visits each schema
// once, so that the number of paths does not matter.
func (f *facts) applied(all []*jsonschema.Schema) int {
	counts := make(map[*jsonschema.Schema]int, len(all))
	var count func(s *jsonschema.Schema) int
	count = func(s *jsonschema.Schema) int {
		if known, found := counts[s]; found {
			return known
		}
		counts[s] = 1 // what leads back to itself ends there
		total := 1
		for inner := range f.inPlace(s) {
			if inner != nil {
				total = min(total+count(inner), maxApplied+1)
			}
		}
		counts[s] = total
		return total
	}
	most := 0
	for _, s := range all {
		most = max(most, count(s))
	}
	return most
}

// boundBits is the length of a bound that costs as much as another one.
const boundBits = 256

// engine compiles the regular expressions of one schema, each text once: the library asks for it when it checks the document, and
// again when it compiles it.
type engine struct {
	known   map[string]*pattern.Pattern
	size    int
	refused bool
}

func (e *engine) compile(text string) (jsonschema.Regexp, error) {
	if compiled, found := e.known[text]; found {
		return compiled, nil
	}
	compiled, err := pattern.New(text, min(pattern.MaxSize, maxPatterns-e.size))
	if err != nil {
		return nil, err
	}
	e.known[text] = compiled
	if !compiled.Usable() {
		e.refused = true
		return compiled, nil
	}
	e.size += compiled.BuildCost()
	return compiled, nil
}

// Refusal returns why the schema cannot be registered, although one that is stored is read; nil if it can.
func (s schema) Refusal() error { return s.facts.refusal }
