package definitions

import (
	"encoding/json"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/condition"
	"github.com/saga-orchestrator/orchestrator/saga/schema"
)

// Compiler compiles the conditions and schemas of definitions.
type Compiler struct{ conditions *condition.Compiler }

// NewCompiler returns a compiler. An error means a defect.
func NewCompiler() (*Compiler, error) {
	conditions, err := condition.NewCompiler()
	if err != nil {
		return nil, err
	}
	return &Compiler{conditions: conditions}, nil
}

// Condition compiles a CEL expression.
func (c *Compiler) Condition(expression string) (saga.Condition, error) {
	return c.conditions.Compile(expression)
}

// Schema compiles a JSON Schema.
func (c *Compiler) Schema(document json.RawMessage) (saga.Schema, error) {
	return schema.Compile(document)
}
