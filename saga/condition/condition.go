// Package condition compiles the conditions of definitions, which are written in CEL (https://cel.dev). An expression has
// one variable, data: the data of the saga. It is pure, has no clock, and its cost is bounded.
package condition

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"

	"github.com/saga-orchestrator/orchestrator/saga"
)

const (
	// maxCost bounds the evaluation of one condition, in CEL's units of cost: about a million elementary operations.
	maxCost = 1_000_000
	// maxNesting bounds the nesting of an expression, which the parser follows by recursion.
	maxNesting = 50
	// maxText bounds the part of an error that comes from CEL, in bytes.
	maxText = 512
)

// Compiler compiles expressions. It is safe for concurrent use.
type Compiler struct{ env *cel.Env }

// NewCompiler returns a compiler.
func NewCompiler() (*Compiler, error) {
	env, err := cel.NewEnv(
		cel.Variable("data", cel.MapType(cel.StringType, cel.DynType)),
		cel.CrossTypeNumericComparisons(true),
		cel.ParserRecursionLimit(maxNesting),
	)
	if err != nil {
		return nil, fmt.Errorf("set up CEL: %w", err)
	}
	return &Compiler{env: env}, nil
}

// Compile compiles an expression that gives a bool.
func (c *Compiler) Compile(expression string) (saga.Condition, error) {
	ast, issues := c.env.Compile(expression)
	if err := issues.Err(); err != nil {
		return nil, fmt.Errorf("is not a CEL expression over data: %s", oneLine(err.Error()))
	}
	if kind := ast.OutputType(); !kind.IsExactType(cel.BoolType) && !kind.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("must give a bool, not a value of type %s", kind)
	}
	program, err := c.env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost))
	if err != nil {
		return nil, fmt.Errorf("is not a CEL expression over data: %s", oneLine(err.Error()))
	}
	return &condition{program: program}, nil
}

type condition struct{ program cel.Program }

// Holds evaluates the expression. Whole numbers of the data are int, others double.
func (c *condition) Holds(data json.RawMessage) (bool, error) {
	value, err := decode(data)
	if err != nil {
		return false, err
	}
	result, _, err := c.program.Eval(map[string]any{"data": value})
	if err != nil {
		return false, errors.New(oneLine(err.Error()))
	}
	holds, is := result.(types.Bool)
	if !is {
		return false, fmt.Errorf("the condition gave a value of type %s, not a bool", result.Type().TypeName())
	}
	return bool(holds), nil
}

// oneLine shortens a text of CEL, which draws the place of a fault on further lines.
func oneLine(text string) string {
	text, _, _ = strings.Cut(text, "\n")
	text = strings.TrimPrefix(text, "ERROR: <input>:")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "…"
	}
	return text
}

func decode(data json.RawMessage) (map[string]any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, errors.New("the data is not a JSON object")
	}
	for name, value := range object {
		object[name] = numbers(value)
	}
	return object, nil
}

// numbers replaces the numbers in a decoded value by int64 or float64.
func numbers(value any) any {
	switch value := value.(type) {
	case json.Number:
		if whole, err := value.Int64(); err == nil {
			return whole
		}
		number, err := value.Float64()
		if err != nil {
			return value.String() // out of range: it compares with no number
		}
		return number
	case map[string]any:
		for name, member := range value {
			value[name] = numbers(member)
		}
	case []any:
		for i, element := range value {
			value[i] = numbers(element)
		}
	}
	return value
}
