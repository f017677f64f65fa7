// Package condition compiles the conditions of definitions, which are written in CEL (https://cel.dev). An expression has
// one variable, data: the data of the saga. It is pure, has no clock, and its cost is bounded.
package condition

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/interpreter"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/pattern"
)

const (
	// maxCost bounds the evaluation of one condition, in CEL's units of cost: about a million elementary operations. What CEL does
	// not count is charged in the same units; see toll.
	maxCost = 1_000_000
	// unitWork is what a unit of cost stands for.
	unitWork = 400 * time.Nanosecond
	// decodeWork is what a byte of data takes to decode.
	decodeWork = 20 * time.Nanosecond
	// maxNesting bounds the nesting of an expression, which the parser follows by recursion.
	maxNesting = 50
	// maxText bounds the part of an error that comes from CEL, in bytes.
	maxText = 512
)

// Compiler compiles expressions. It is safe for concurrent use.
type Compiler struct {
	env        *cel.Env
	functions  map[string]*functions.Overload
	attributes interpreter.AttributeFactory
}

// errPattern is the fault of a condition whose constant patterns are too large.
var errPattern = fmt.Errorf("its regular expressions have more than %d instructions together", pattern.MaxSize)

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
	known, err := newFunctions(env)
	if err != nil {
		return nil, fmt.Errorf("set up CEL: %w", err)
	}
	return &Compiler{
		env: env, functions: known,
		attributes: interpreter.NewAttributeFactory(env.Container, env.CELTypeAdapter(), env.CELTypeProvider()),
	}, nil
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
	watch := &guard{functions: c.functions, attributes: c.attributes}
	program, err := c.env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(maxCost), tollOption(),
		cel.CustomDecoratorV2(watch.decorate))
	if err != nil {
		return nil, fmt.Errorf("is not a CEL expression over data: %s", oneLine(err.Error()))
	}
	return &condition{program: program, oversized: watch.oversized}, nil
}

type condition struct {
	program   cel.Program
	oversized bool
}

// Refusal returns why the condition cannot be registered, although one that is stored is read; nil if it can.
func (c *condition) Refusal() error {
	if c.oversized {
		return errPattern
	}
	return nil
}

// Holds evaluates the expression. Whole numbers of the data are int, others double.
func (c *condition) Holds(data json.RawMessage) (bool, error) {
	holds, _, err := c.Evaluate(data)
	return holds, err
}

// Evaluate implements saga.MeteredCondition.
func (c *condition) Evaluate(data json.RawMessage) (holds bool, work saga.Work, err error) {
	work = saga.Work(len(data)) * decodeWork
	value, err := decode(data)
	if err != nil {
		return false, work, err
	}
	result, details, err := c.program.Eval(map[string]any{"data": value})
	if cost := details.ActualCost(); cost != nil {
		work += saga.Work(min(*cost, maxCost)) * unitWork
	}
	if err != nil {
		return false, work, errors.New(oneLine(err.Error()))
	}
	met, is := result.(types.Bool)
	if !is {
		return false, work, fmt.Errorf("the condition gave a value of type %s, not a bool", result.Type().TypeName())
	}
	return bool(met), work, nil
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
