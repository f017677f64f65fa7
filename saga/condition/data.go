package condition

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"slices"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

func decode(data json.RawMessage) (ref.Val, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return nil, errors.New("the data is not a JSON object")
	}
	return value(object).(ref.Val), nil
}

// value replaces the numbers in a decoded value by int64 or float64, and its objects by ordered ones.
func value(decoded any) any {
	switch decoded := decoded.(type) {
	case json.Number:
		if whole, err := decoded.Int64(); err == nil {
			return whole
		}
		number, err := decoded.Float64()
		if err != nil {
			return decoded.String() // out of range: it compares with no number
		}
		return number
	case map[string]any:
		for name, member := range decoded {
			decoded[name] = value(member)
		}
		return &ordered{Mapper: types.NewStringInterfaceMap(types.DefaultTypeAdapter, decoded)}
	case []any:
		for i, element := range decoded {
			decoded[i] = value(element)
		}
	}
	return decoded
}

// ordered is an object whose members are visited by their names. Go's maps have another order each time, and a decision must
// come out the same when it is made again. The order is computed once, since a macro may begin to visit the members many times.
type ordered struct {
	traits.Mapper
	keys traits.Lister
}

// Iterator implements traits.Iterable.
func (o *ordered) Iterator() traits.Iterator {
	if o.keys == nil {
		var keys []ref.Val
		for all := o.Mapper.Iterator(); all.HasNext() == types.True; {
			keys = append(keys, all.Next())
		}
		slices.SortFunc(keys, compareKeys)
		o.keys = types.NewRefValList(types.DefaultTypeAdapter, keys)
	}
	return o.keys.Iterator()
}

// compareKeys orders the keys of an object: those of an expression may be of several types.
func compareKeys(left, right ref.Val) int {
	if l, is := left.(types.String); is {
		if r, is := right.(types.String); is {
			return cmp.Compare(l, r)
		}
	}
	if left.Type().TypeName() != right.Type().TypeName() {
		return cmp.Compare(left.Type().TypeName(), right.Type().TypeName())
	}
	order, _ := left.(traits.Comparer).Compare(right).(types.Int)
	return int(order)
}

// literal is an object that an expression writes, such as {"a": 1}.
type literal struct {
	interpreter.InterpretableConstructor
}

// Exec implements interpreter.InterpretableV2.
func (l literal) Exec(frame *interpreter.ExecutionFrame) ref.Val {
	made := l.InterpretableConstructor.Exec(frame)
	object, is := made.(traits.Mapper)
	if !is {
		return made
	}
	t := toll{tracker: frame.CostTracker()}
	for keys := object.Iterator(); keys.HasNext() == types.True; {
		t.key(keys.Next())
	}
	t.settle()
	return &ordered{Mapper: object}
}

// Eval implements interpreter.Interpretable.
func (l literal) Eval(activation interpreter.Activation) ref.Val {
	return interpreter.EvalActivation(activation, l.Exec)
}
