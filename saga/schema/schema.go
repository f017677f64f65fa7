// Package schema compiles the JSON Schemas (draft 2020-12) of definitions. A schema refers to nothing outside of itself:
// no file and no address is read.
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/pattern"
)

const (
	// location is the address of the schema itself, which its references are relative to.
	location = "schema:///definition"
	// maxText bounds one message of the library, in bytes.
	maxText = 256
)

var errOutside = errors.New("a schema may only refer to itself")

// Compile compiles a schema.
func Compile(document json.RawMessage) (saga.Schema, error) {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return nil, errors.New("is not valid JSON")
	}
	if nested(value, maxNesting) {
		return schema{facts: &facts{refusal: fmt.Errorf("is nested deeper than %d levels", maxNesting)}}, nil
	}
	if draft := draftOf(value); draft != "" && strings.TrimSuffix(draft, "#") != draft2020 {
		return nil, fmt.Errorf("$schema must be %s, if it is given", draft2020)
	}
	built, affordable := buildCost(value)
	if !affordable {
		return schema{facts: &facts{refusal: errBuild}}, nil
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(nowhere{})
	patterns := &engine{known: make(map[string]*pattern.Pattern)}
	compiler.UseRegexpEngine(patterns.compile)
	if err := compiler.AddResource(location, value); err != nil {
		return nil, fmt.Errorf("is not a JSON Schema: %s", short(err.Error()))
	}
	compiled, err := compiler.Compile(location)
	if err != nil {
		return nil, fmt.Errorf("is not a JSON Schema: %s", short(explain(err)))
	}
	facts := newFacts(compiled, patterns)
	empty := map[string]any{}
	if _, affordable := facts.cost(compiled, empty); facts.refusal == nil && affordable && endless(compiled.Validate(empty)) {
		return nil, errors.New("refers to itself without end")
	}
	return schema{compiled: compiled, facts: facts, built: built}, nil
}

// nested reports whether the arrays and objects of a value have more levels than a limit.
func nested(value any, limit int) bool {
	deeper := func(inner any) bool { return nested(inner, limit-1) }
	switch value := value.(type) {
	case map[string]any:
		return limit == 0 || slices.ContainsFunc(slices.Collect(maps.Values(value)), deeper)
	case []any:
		return limit == 0 || slices.ContainsFunc(value, deeper)
	default:
		return false
	}
}

// endless reports whether a validation met a reference that leads back to itself for the same value.
func endless(err error) bool {
	invalid, is := errors.AsType[*jsonschema.ValidationError](err)
	if !is {
		return false
	}
	if _, cycle := invalid.ErrorKind.(*kind.RefCycle); cycle {
		return true
	}
	return slices.ContainsFunc(invalid.Causes, func(cause *jsonschema.ValidationError) bool { return endless(cause) })
}

// draft2020 is the address of the draft that schemas are written in.
const draft2020 = "https://json-schema.org/draft/2020-12/schema"

// draftOf returns the draft that a schema names, or "".
func draftOf(document any) string {
	object, _ := document.(map[string]any)
	draft, _ := object["$schema"].(string)
	return draft
}

// explain returns the first cause of an error.
func explain(err error) string {
	if errors.Is(err, errOutside) {
		return errOutside.Error()
	}
	if invalid, is := errors.AsType[*jsonschema.SchemaValidationError](err); is {
		if found := faults(invalid.Err); len(found) > 0 {
			return strings.TrimSpace(found[0].Pointer + " " + found[0].Message)
		}
	}
	return err.Error()
}

type nowhere struct{}

func (nowhere) Load(string) (any, error) { return nil, errOutside }

type schema struct {
	compiled *jsonschema.Schema // nil: it was too costly to compile
	facts    *facts
	built    int // units of maxBuild
}

// Check returns what is wrong with a value.
func (s schema) Check(value json.RawMessage) saga.Faults {
	found, _, _ := s.Measure(value, 0)
	return found
}

// Measure implements saga.MeteredSchema.
func (s schema) Measure(value json.RawMessage, most saga.Work) (found saga.Faults, work saga.Work, checked bool) {
	work = saga.Work(len(value)) * decodeWork
	decoded, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err != nil {
		return saga.Faults{{Message: "is not valid JSON"}}, work, true
	}
	if s.compiled == nil {
		return saga.Faults{{Message: s.facts.costly()}}, work, true
	}
	cost, affordable := s.facts.cost(s.compiled, decoded)
	work += saga.Work(cost) * costWork
	switch {
	case !affordable:
		return saga.Faults{{Message: s.facts.costly()}}, work, true
	case most > 0 && work > most:
		return nil, work, false
	default:
		return faults(s.compiled.Validate(decoded)), work, true
	}
}

// CompileWork implements saga.MeteredSchema.
func (s schema) CompileWork() saga.Work { return saga.Work(s.built) * buildWork }

// faults returns the faults of a validation that have no further causes.
func faults(err error) (found saga.Faults) {
	if err == nil {
		return nil
	}
	invalid, is := errors.AsType[*jsonschema.ValidationError](err)
	if !is {
		return saga.Faults{{Message: short(err.Error())}}
	}
	printer := message.NewPrinter(language.English)
	var visit func(*jsonschema.ValidationError)
	visit = func(fault *jsonschema.ValidationError) {
		for _, cause := range fault.Causes {
			visit(cause)
		}
		if len(fault.Causes) == 0 && len(found) < saga.MaxFaults {
			found = append(found, saga.Fault{
				Pointer: pointer(fault.InstanceLocation), Message: short(text(fault.ErrorKind, printer)),
			})
		}
	}
	visit(invalid)
	return found
}

func pointer(tokens []string) string {
	var text strings.Builder
	for _, token := range tokens {
		text.WriteString("/" + saga.PointerToken(token))
	}
	return short(text.String())
}

func short(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}
