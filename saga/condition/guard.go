package condition

import (
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/functions"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"

	"github.com/saga-orchestrator/orchestrator/saga/pattern"
)

// guard replaces the calls and the reads of an expression by ones that charge what they cost before they do it.
type guard struct {
	functions  map[string]*functions.Overload
	attributes interpreter.AttributeFactory
	patterns   int  // what the constant patterns cost to compile
	oversized  bool // that is too much
}

// newFunctions returns the functions of an environment by the names under which a call looks them up.
func newFunctions(env *cel.Env) (map[string]*functions.Overload, error) {
	known := make(map[string]*functions.Overload)
	for _, function := range env.Functions() {
		bindings, err := function.Bindings()
		if err != nil {
			return nil, err
		}
		for _, overload := range bindings {
			known[overload.Operator] = overload
		}
	}
	return known, nil
}

// decorate is called with every node of an expression, the inner ones first.
func (g *guard) decorate(node interpreter.InterpretableV2) (interpreter.InterpretableV2, error) {
	switch node := node.(type) {
	case *read:
		return node, nil
	case interpreter.InterpretableAttribute:
		return &read{InterpretableAttribute: node, attributes: g.attributes}, nil
	case interpreter.InterpretableCall:
		return g.call(node)
	case interpreter.InterpretableConstructor:
		if node.Type() == types.MapType {
			return literal{node}, nil
		}
		return node, nil
	default:
		return node, nil
	}
}

func (g *guard) call(node interpreter.InterpretableCall) (interpreter.InterpretableV2, error) {
	overload := g.functions[node.OverloadID()]
	if overload == nil {
		overload = g.functions[node.Function()]
	}
	args := node.Args()
	if overload != nil && overload.NonStrict || constantConversion(node) {
		return node, nil // CEL computes the latter at once; its text is a part of the expression
	}
	c := &call{
		id: node.ID(), function: node.Function(), overloadID: node.OverloadID(), args: args, overload: overload,
	}
	if c.function == overloads.Matches && len(args) == 2 {
		if constant, is := args[1].(interpreter.InterpretableConst); is {
			if text, is := constant.Value().(types.String); is {
				compiled, err := pattern.New(string(text), pattern.MaxSize-g.patterns)
				if err != nil {
					return nil, err
				}
				c.pattern = compiled
				g.patterns += compiled.BuildCost()
				g.oversized = g.oversized || !compiled.Usable()
			}
		}
	}
	return c, nil
}

func constantConversion(node interpreter.InterpretableCall) bool {
	args := node.Args()
	if len(args) != 1 || !overloads.IsTypeConversionFunction(node.Function()) {
		return false
	}
	_, constant := args[0].(interpreter.InterpretableConst)
	return constant
}

// call is a call of a function. It does not show its arguments: CEL's optimizations would replace it.
type call struct {
	id         int64
	function   string
	overloadID string
	args       []interpreter.InterpretableV2
	overload   *functions.Overload // nil: the value has it as a method
	pattern    *pattern.Pattern    // of matches with a constant pattern
}

func (c *call) ID() int64          { return c.id }
func (c *call) Function() string   { return c.function }
func (c *call) OverloadID() string { return c.overloadID }

// Eval implements interpreter.Interpretable.
func (c *call) Eval(activation interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(activation, c.Exec)
}

// Exec implements interpreter.InterpretableV2.
func (c *call) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	args := make([]ref.Val, len(c.args))
	for i, arg := range c.args {
		if args[i] = arg.Exec(frame); types.IsUnknownOrError(args[i]) {
			return args[i]
		}
	}
	t := toll{tracker: frame.CostTracker()}
	c.charge(&t, args)
	t.settle()
	if t.tracker != nil {
		t.tracker.EvalVarArgs(frame, c.id, c, args, nil) // what CEL itself charges depends on the arguments alone
	}
	return types.LabelErrNode(c.id, c.invoke(args))
}

// charge adds the cost of a call beyond what CEL counts.
func (c *call) charge(t *toll, args []ref.Val) {
	switch c.function {
	case operators.Equals, operators.NotEquals:
		t.equal(args[0], args[1])
		return
	case operators.In, operators.OldIn:
		t.search(args[0], args[1])
		return
	}
	unit := textUnit
	if overloads.IsTypeConversionFunction(c.function) || c.function == operators.Add {
		unit = copyUnit
	}
	for _, arg := range args {
		t.add(length(arg) / unit)
	}
	switch {
	case c.function == overloads.Matches && len(args) == 2:
		c.chargeMatch(t, args)
	case strings.HasPrefix(c.function, "get") && len(args) == 2:
		t.add(zoneCost)
	}
}

// chargeMatch adds the cost of compiling a pattern that comes from the data, and that of the match.
func (c *call) chargeMatch(t *toll, args []ref.Val) {
	size := 0
	if c.pattern != nil {
		size = c.pattern.Size()
	} else if text, is := args[1].(types.String); is {
		t.add(8 * pattern.ParseCost(string(text))) // it is read several times
		t.settle()
		size, _ = pattern.Size(string(text)) // the call itself returns the fault
		t.add(4 * size)
	}
	t.add(pattern.MatchCost(size, length(args[0])) / matchUnit)
}

// invoke calls the function as CEL's own nodes do.
func (c *call) invoke(args []ref.Val) ref.Val {
	switch {
	case c.function == operators.Equals:
		return types.Equal(args[0], args[1])
	case c.function == operators.NotEquals:
		return types.Bool(types.Equal(args[0], args[1]) != types.True)
	case c.pattern != nil:
		if text, is := args[0].(types.String); is {
			return c.match(string(text))
		}
	case c.overload != nil && (c.overload.OperandTrait == 0 || args[0].Type().HasTrait(c.overload.OperandTrait)):
		switch {
		case len(args) == 1 && c.overload.Unary != nil:
			return c.overload.Unary(args[0])
		case len(args) == 2 && c.overload.Binary != nil:
			return c.overload.Binary(args[0], args[1])
		case c.overload.Function != nil:
			return c.overload.Function(args...)
		}
	case len(args) > 0 && args[0].Type().HasTrait(traits.ReceiverType):
		return args[0].(traits.Receiver).Receive(c.function, c.overloadID, args[1:])
	}
	return types.NewErr("no such overload: %s", c.function)
}

func (c *call) match(text string) ref.Val {
	if !c.pattern.Usable() {
		return types.NewErr("%v", errPattern)
	}
	return types.Bool(c.pattern.MatchString(text))
}
