package saga

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ErrNotCompiled means that a definition with conditions or schemas was run before Compile: a defect.
var ErrNotCompiled = errors.New("the definition's conditions and schemas are not compiled")

// RawSchema is a JSON Schema (2020-12) as a definition has it.
type RawSchema = json.RawMessage

// Compiler compiles what definitions say in other languages. What it returns is pure, bounded in cost, and safe for
// concurrent use.
type Compiler interface {
	Condition(expression string) (Condition, error)
	Schema(document RawSchema) (Schema, error)
}

// Condition is a compiled CEL expression.
type Condition interface {
	// Holds evaluates the expression over the data of a saga. An error means that it has no value for this data.
	Holds(data json.RawMessage) (bool, error)
}

// Schema is a compiled JSON Schema.
type Schema interface {
	// Check returns what is wrong with a value; the pointers are into the value.
	Check(value json.RawMessage) Faults
}

// compiled holds what Compile made. A definition without conditions and schemas needs none of it.
type compiled struct {
	done       bool
	conditions []Condition // by step; nil: always
	outputs    []Schema    // by step; nil: any object
	data       Schema      // nil: any object
}

// Compile compiles the conditions and schemas of the definition. Call it before the definition is shared. The error is
// of type Faults.
func (d *Definition) Compile(compiler Compiler) error {
	var faults Faults
	made := compiled{done: true, conditions: make([]Condition, len(d.Steps)), outputs: make([]Schema, len(d.Steps))}
	all := schemas{compiler: compiler, faults: &faults}
	made.data = all.compile("/data_schema", d.DataSchema)
	for i := range d.Steps {
		step := &d.Steps[i]
		made.outputs[i] = all.compile(stepPointer(i, "output_schema"), step.OutputSchema)
		if step.When == "" {
			continue
		}
		condition, err := compiler.Condition(step.When)
		if err != nil {
			faults.add(stepPointer(i, "when"), "%s", err)
			continue
		}
		made.conditions[i] = condition
	}
	if len(faults) > 0 {
		return faults.bounded()
	}
	d.compiled = made
	return nil
}

// refuser is a condition or a schema that is known to be too costly. One that is stored is read nevertheless, because its sagas
// must stay readable: its evaluations and checks fail.
type refuser interface {
	Refusal() error
}

// Refusals returns why the conditions and schemas of a compiled definition must not be registered: they are read if they are
// stored, but would exceed a limit whenever they are used.
func (d *Definition) Refusals() Faults {
	var faults Faults
	note := func(pointer string, compiled any) {
		if r, is := compiled.(refuser); is {
			if err := r.Refusal(); err != nil {
				faults.add(pointer, "%s", err)
			}
		}
	}
	note("/data_schema", d.compiled.data)
	for i := range d.compiled.conditions {
		note(stepPointer(i, "output_schema"), d.compiled.outputs[i])
		note(stepPointer(i, "when"), d.compiled.conditions[i])
	}
	return faults.bounded()
}

// needsCompiler reports whether the definition has conditions or schemas.
func (d *Definition) needsCompiler() bool {
	if d.DataSchema != nil {
		return true
	}
	for i := range d.Steps {
		if d.Steps[i].When != "" || d.Steps[i].OutputSchema != nil {
			return true
		}
	}
	return false
}

// runnable returns ErrNotCompiled if the definition cannot run yet.
func (d *Definition) runnable() error {
	if d.compiled.done || !d.needsCompiler() {
		return nil
	}
	return fmt.Errorf("%w: %s version %d", ErrNotCompiled, d.Name, d.Version)
}

// CheckData returns what is wrong with the data of a start, by the schema of the definition. nil data counts as {}.
func (d *Definition) CheckData(data json.RawMessage) Faults {
	faults, _, _ := d.MeasureData(data, 0)
	return faults
}

// MeasureData is CheckData, and also returns its work. A check that takes more than most is not made: then checked is false. 0: no
// bound.
func (d *Definition) MeasureData(data json.RawMessage, most Work) (faults Faults, work Work, checked bool) {
	if d.compiled.data == nil {
		return nil, 0, true
	}
	faults, work, checked = measure(d.compiled.data, orEmpty(data), most)
	return faults.bounded(), work, checked
}

func orEmpty(object json.RawMessage) json.RawMessage {
	if len(object) == 0 {
		return json.RawMessage("{}")
	}
	return object
}

// checkOutput returns the fault of an output of step i by its schema, or "".
func (t *transition) checkOutput(i int, output json.RawMessage) string {
	outputs := t.def.compiled.outputs
	if i >= len(outputs) || outputs[i] == nil {
		return ""
	}
	faults := t.check(outputs[i], orEmpty(output))
	if len(faults) == 0 {
		return ""
	}
	message := "the output does not match its schema"
	for shown, fault := range faults {
		if shown == maxOutputFaults {
			return message + fmt.Sprintf("; and %d more faults", len(faults)-shown)
		}
		message += fmt.Sprintf("; %q %s", fault.Pointer, fault.Message)
	}
	return message
}

// maxOutputFaults is the number of faults of an output that its error names.
const maxOutputFaults = 3
