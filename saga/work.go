package saga

import (
	"encoding/json"
	"errors"
	"time"
)

// Work is the time of one processor that conditions and schemas take. It is estimated from sizes, rather high, and never
// measured, so that a decision comes out the same each time.
type Work = time.Duration

const (
	// MaxConditionWork bounds what the conditions take that are evaluated in one decision. The turns of many steps may come at
	// once: those that are skipped make others ready.
	MaxConditionWork Work = 2 * time.Second
	// MaxCompileWork bounds what the schemas of one definition take to compile, but for the last.
	MaxCompileWork Work = time.Second
)

// MeteredCondition is a Condition that tells the work of an evaluation.
type MeteredCondition interface {
	Condition
	// Evaluate is Holds.
	Evaluate(data json.RawMessage) (holds bool, work Work, err error)
}

// MeteredSchema is a Schema that tells its work.
type MeteredSchema interface {
	Schema
	// Measure is Check, unless it takes more than that work: then it only tells the work, and checked is false. 0: no bound.
	Measure(value json.RawMessage, most Work) (faults Faults, work Work, checked bool)
	// CompileWork is the work that its compilation took.
	CompileWork() Work
}

// errTooMuchAtOnce is the fault of a condition behind others that were evaluated in the same decision.
var errTooMuchAtOnce = errors.New("the conditions that are evaluated at once take too long together: give them less data, or retry the step")

// holds evaluates the condition of step i.
func (t *transition) holds(i int) (bool, error) {
	if t.conditionWork > MaxConditionWork {
		return false, errTooMuchAtOnce
	}
	condition := t.def.compiled.conditions[i]
	metered, is := condition.(MeteredCondition)
	if !is {
		return condition.Holds(t.next.Data)
	}
	holds, work, err := metered.Evaluate(t.next.Data)
	t.conditionWork += work
	t.work += work
	return holds, err
}

// check returns what is wrong with a value, and adds to the work of the decision.
func (t *transition) check(schema Schema, value json.RawMessage) Faults {
	faults, work, _ := measure(schema, value, 0)
	t.work += work
	return faults
}

func measure(schema Schema, value json.RawMessage, most Work) (faults Faults, work Work, checked bool) {
	if metered, is := schema.(MeteredSchema); is {
		return metered.Measure(value, most)
	}
	return schema.Check(value), 0, true
}

// errLateSchema is the fault of a schema behind others that took too long to compile.
var errLateSchema = errors.New("costs too much to compile together with the schemas before it")

// lateSchema stands for a schema that is not compiled. A definition that has one cannot be registered. One that is stored is
// read, but its checks fail.
type lateSchema struct{}

// Check implements Schema.
func (lateSchema) Check(json.RawMessage) Faults {
	return Faults{{Message: "cannot be checked: the schema " + errLateSchema.Error()}}
}

// Refusal implements refuser.
func (lateSchema) Refusal() error { return errLateSchema }

// schemas compiles the schemas of one definition.
type schemas struct {
	compiler Compiler
	faults   *Faults
	work     Work
}

func (s *schemas) compile(pointer string, document RawSchema) Schema {
	switch {
	case document == nil:
		return nil
	case s.work > MaxCompileWork:
		return lateSchema{}
	}
	schema, err := s.compiler.Schema(document)
	if err != nil {
		s.faults.add(pointer, "%s", err)
		return nil
	}
	if metered, is := schema.(MeteredSchema); is {
		s.work += metered.CompileWork()
	}
	return schema
}
