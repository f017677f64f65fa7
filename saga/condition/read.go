package condition

import (
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// read is a read of a variable or of a part of one. A text is charged for when it is read: it may be the key of an object, for
// which no function is called.
type read struct {
	interpreter.InterpretableAttribute
	attributes interpreter.AttributeFactory
}

// Exec implements interpreter.InterpretableV2.
func (r *read) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	value := r.InterpretableAttribute.Exec(frame)
	chargeRead(frame, value)
	return value
}

// Eval implements interpreter.Interpretable.
func (r *read) Eval(activation interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(activation, r.Exec)
}

// Resolve implements interpreter.Attribute.
func (r *read) Resolve(activation interpreter.Activation) (any, error) {
	value, err := r.InterpretableAttribute.Resolve(activation)
	chargeRead(activation, value)
	return value, err
}

// Attr returns the attribute as CEL uses it inside of another one.
func (r *read) Attr() interpreter.Attribute {
	return &attribute{Attribute: r.InterpretableAttribute.Attr(), attributes: r.attributes}
}

// Qualify implements interpreter.Qualifier.
func (r *read) Qualify(activation interpreter.Activation, object any) (any, error) {
	return r.Attr().Qualify(activation, object)
}

// QualifyIfPresent implements interpreter.Qualifier.
func (r *read) QualifyIfPresent(activation interpreter.Activation, object any, presenceOnly bool) (any, bool, error) {
	return r.Attr().QualifyIfPresent(activation, object, presenceOnly)
}

// attribute is an attribute whose value is charged for. The key data.name in data[data.name] is one.
type attribute struct {
	interpreter.Attribute
	attributes interpreter.AttributeFactory
}

// Resolve implements interpreter.Attribute.
func (a *attribute) Resolve(activation interpreter.Activation) (any, error) {
	value, err := a.Attribute.Resolve(activation)
	chargeRead(activation, value)
	return value, err
}

// Qualify implements interpreter.Qualifier.
func (a *attribute) Qualify(activation interpreter.Activation, object any) (any, error) {
	key, err := a.key(activation)
	if err != nil {
		return nil, err
	}
	return key.Qualify(activation, object)
}

// QualifyIfPresent implements interpreter.Qualifier.
func (a *attribute) QualifyIfPresent(activation interpreter.Activation, object any, presenceOnly bool) (any, bool, error) {
	key, err := a.key(activation)
	if err != nil {
		return nil, false, err
	}
	return key.QualifyIfPresent(activation, object, presenceOnly)
}

// key returns the value of the attribute as a key or an index.
func (a *attribute) key(activation interpreter.Activation) (interpreter.Qualifier, error) {
	value, err := a.Resolve(activation)
	if err != nil {
		return nil, err
	}
	return a.attributes.NewQualifier(nil, a.ID(), value, a.IsOptional())
}

func chargeRead(activation interpreter.Activation, value any) {
	if bytes := length(value); bytes >= textUnit {
		t := toll{tracker: tracker(activation)}
		t.add(bytes / textUnit)
		t.settle()
	}
}
