package condition

import "cel.dev/cel-go/interpreter"

// read is a read of a variable or of a part of one. It costs nothing by itself. Where its value is the key of an object, no function
// is called that would charge for the length of the key; the read charges for it then.
type read struct {
	interpreter.InterpretableAttribute
	attributes interpreter.AttributeFactory
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

// attribute is an attribute that charges for its value where that is a key. The key data.name in data[data.name] is one.
type attribute struct {
	interpreter.Attribute
	attributes interpreter.AttributeFactory
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
	t := toll{tracker: tracker(activation)}
	t.key(value)
	t.settle()
	return a.attributes.NewQualifier(nil, a.ID(), value, a.IsOptional())
}
