package schema

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/saga-orchestrator/orchestrator/saga/pattern"
)

const (
	// maxCost bounds the check of one value, in units of about 10 nanoseconds.
	maxCost  = 50_000_000
	costWork = 10 * time.Nanosecond
	// decodeWork is what a byte of a value takes to decode.
	decodeWork = 20 * time.Nanosecond
	// maxApplied bounds how many schemas apply at one place of a value, each as often as it is referred to.
	maxApplied = 10_000
	// maxNesting bounds the nesting of a schema's document: the library compiles it in time by the square of that, and more.
	maxNesting = 100
	// maxPatterns bounds the regular expressions of a schema together, in instructions of Go's matcher. About a hundred are those
	// of the schema of schemas, with which the library checks the document.
	maxPatterns = 100_000
)

// Costs of parts of a check, in units of maxCost.
const (
	visitCost   = 60 // a schema is applied to a value
	memberCost  = 20 // a member of an object is looked up
	elementCost = 10 // an element of an array is looked up
	openCost    = 35 // it is remembered as not evaluated yet
	boundCost   = 70 // a bound of a number is compared with it
	nodeCost    = 10 // a value is compared with another one
	chainPart   = 4  // schemas above, at the same place or further up, which are searched for one unit
	textPart    = 32 // bytes of text that are compared for one unit
	runesPart   = 4  // bytes of text whose characters are counted for one unit
	formatCost  = 20 // a byte is read by a format, which only schemas of other drafts have
	regexCost   = 10_000
	fewElements = 20 // elements that are unique are compared, each with each; more are hashed
)

// meter counts what the check of a value costs, before it is done. It follows the library's steps, but takes no short ways out
// and makes no comparisons, and stops at the limit. So it takes a fraction of the time that it counts.
type meter struct {
	facts *facts
	left  int
}

// cost returns what the check of a value costs, and whether it stays within the limits.
func (f *facts) cost(root *jsonschema.Schema, value any) (units int, affordable bool) {
	m := meter{facts: f, left: maxCost}
	m.visit(root, value, 0, 0)
	return maxCost - max(m.left, 0), m.left >= 0
}

func (m *meter) spend(units int) {
	if units > m.left {
		m.left = -1
		return
	}
	m.left -= units
}

// visit counts the application of a schema to a value. depth counts the schemas above, place those of them at the same value. As
// each visit costs more the deeper it is, the limit also bounds the depth, to about 20,000: the library recurses like this meter.
func (m *meter) visit(s *jsonschema.Schema, value any, depth, place int) {
	if s == nil || m.left < 0 {
		return
	}
	m.spend(visitCost + depth/chainPart)
	if s.Bool != nil || place > m.facts.count { // the library stops at a reference that leads back to itself
		return
	}
	if m.facts.mistyped(s, value) {
		return // the library goes no further either
	}
	if s.DynamicRef != nil || s.RecursiveRef != nil {
		m.spend(2 * depth) // all schemas above are asked where it leads to
	}
	m.compare(s, value)
	switch value := value.(type) {
	case map[string]any:
		m.object(s, value, depth)
	case []any:
		m.array(s, value, depth)
	case string:
		m.text(s, value)
	}
	for inner := range m.facts.inPlace(s) {
		if inner == nil || inner == s.If || inner == s.Then || inner == s.Else {
			continue
		}
		m.visit(inner, value, depth+1, place+1)
	}
	m.branch(s, value, depth, place)
}

// compare counts the comparisons of a value with the constants of a schema.
func (m *meter) compare(s *jsonschema.Schema, value any) {
	if number, is := value.(json.Number); is && m.facts.numeric[s] > 0 {
		m.spend(numberCost(number) + boundCost*m.facts.numeric[s])
	}
	constants := m.facts.constants[s]
	if constants == 0 {
		return
	}
	m.spend(constants)
	times := 0
	if s.Const != nil {
		times++
	}
	if s.Enum != nil {
		times += len(s.Enum.Values)
	}
	switch value := value.(type) {
	case map[string]any, []any:
		m.weigh(value, times)
	case json.Number:
		m.spend(numberCost(value) * times)
	}
}

// weigh counts a comparison of a whole value, so many times.
func (m *meter) weigh(value any, times int) {
	if m.left < 0 {
		return
	}
	switch value := value.(type) {
	case map[string]any:
		for name, member := range value {
			m.spend((memberCost + len(name)/textPart) * times)
			m.weigh(member, times)
		}
	case []any:
		for _, element := range value {
			m.weigh(element, times)
		}
	case string:
		m.spend(len(value) / textPart * times)
	case json.Number:
		m.spend(numberCost(value) * times)
	}
	m.spend(nodeCost * times)
}

func (m *meter) object(s *jsonschema.Schema, object map[string]any, depth int) {
	each := memberCost
	if m.facts.open {
		each += openCost
	}
	if s.AdditionalProperties == false {
		each += openCost // the names of those that are too many are listed
	}
	m.spend(each*len(object) + m.facts.names[s]*memberCost)
	if s.Properties == nil && s.PatternProperties == nil && s.AdditionalProperties == nil && s.PropertyNames == nil &&
		s.UnevaluatedProperties == nil {
		return
	}
	for name, member := range object {
		if m.left < 0 {
			return
		}
		m.member(s, name, member, depth)
	}
}

func (m *meter) member(s *jsonschema.Schema, name string, member any, depth int) {
	known := s.Properties[name]
	m.visit(known, member, depth+1, 0)
	evaluated := known != nil
	for expression, inner := range s.PatternProperties {
		m.match(expression, name)
		if m.left >= 0 && expression.MatchString(name) {
			m.match(expression, name) // it is matched here, and again by the library
			m.visit(inner, member, depth+1, 0)
			evaluated = true
		}
	}
	if additional, is := s.AdditionalProperties.(*jsonschema.Schema); is && !evaluated {
		m.visit(additional, member, depth+1, 0)
	}
	m.visit(s.UnevaluatedProperties, member, depth+1, 0)
	m.visit(s.PropertyNames, name, depth+1, 0)
}

func (m *meter) array(s *jsonschema.Schema, array []any, depth int) {
	each := elementCost
	if m.facts.open {
		each += openCost
	}
	m.spend(each * len(array))
	if s.UniqueItems {
		times := len(array)
		if times > fewElements {
			times = 2 // it is hashed, and compared with one that has the same hash
		}
		m.weigh(array, times)
	}
	tuple, _ := s.Items.([]*jsonschema.Schema)
	tuple = append(slices.Clip(tuple), s.PrefixItems...)
	rest := []*jsonschema.Schema{s.Items2020, s.Contains, s.UnevaluatedItems}
	for _, of := range []any{s.Items, s.AdditionalItems} {
		if inner, is := of.(*jsonschema.Schema); is {
			rest = append(rest, inner)
		}
	}
	rest = slices.DeleteFunc(rest, func(inner *jsonschema.Schema) bool { return inner == nil })
	for i, element := range array {
		if m.left < 0 || len(rest) == 0 && i >= len(tuple) {
			return
		}
		if i < len(tuple) {
			m.visit(tuple[i], element, depth+1, 0)
		}
		for _, inner := range rest {
			m.visit(inner, element, depth+1, 0)
		}
	}
}

func (m *meter) text(s *jsonschema.Schema, text string) {
	if s.MinLength != nil || s.MaxLength != nil {
		m.spend(len(text) / runesPart)
	}
	if s.Pattern != nil {
		m.match(s.Pattern, text)
	}
	if s.Format != nil {
		each := formatCost
		if s.Format.Name == "regex" {
			each = regexCost
		}
		m.spend(each * len(text))
	}
}

// match counts the match of a regular expression. The check of a value with one that was too large to compile is refused.
func (m *meter) match(expression jsonschema.Regexp, text string) {
	p, is := expression.(*pattern.Pattern)
	if !is || !p.Usable() {
		m.left = -1
		return
	}
	m.spend(pattern.MatchCost(p.Size(), len(text)))
}

// costly returns the fault of a value whose check is not made.
func (f *facts) costly() string {
	if f.refusal != nil {
		return "cannot be checked: the schema " + f.refusal.Error()
	}
	return fmt.Sprintf("cannot be checked: the schema and the value together cost more than %d units", maxCost)
}
