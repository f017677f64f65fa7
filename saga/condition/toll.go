package condition

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/interpreter"
)

// CEL counts a call once it has returned, and counts some of them as one unit although they take time by the size of what they
// read: the comparison of two objects, a search in a list of texts, a regular expression. Here the cost of such work is added to
// CEL's own before the work is done, so that the limit is reached instead of the time spent. One unit stands for at most half a
// microsecond. For values whose types are known at run time only, as all of the data, CEL counts each call as one unit.
const (
	textUnit   = 256 // bytes of text that are compared, hashed, copied or quoted for one unit
	copyUnit   = 16  // bytes of text that are converted or joined for one unit; the former are quoted in a fault
	searchUnit = 8   // elements of a list that are compared with a number or a short text for one unit
	zoneCost   = 400 // a time zone by its name, which is read from a file
	matchUnit  = 50  // units of a match of a pattern for one unit
)

// tollID is the name by which the toll is charged to CEL's own count.
const tollID = "orchestrator_toll"

type tollCall struct{}

func (tollCall) Function() string   { return tollID }
func (tollCall) OverloadID() string { return tollID }

// tollOption lets CEL count tolls.
func tollOption() cel.ProgramOption {
	return cel.CostTrackerOptions(cost.OverloadTracker(tollID, func(args []ref.Val, _ ref.Val) *uint64 {
		units := uint64(args[0].(types.Uint))
		return &units
	}))
}

// toll collects the cost of work that is about to be done. It panics with CEL's own error at the limit.
type toll struct {
	tracker *cost.Tracker
	due     int
}

// batch is how many units are collected at a time.
const batch = 256

func (t *toll) add(units int) {
	if t.due += units; t.due >= batch {
		t.settle()
	}
}

func (t *toll) settle() {
	if t.due > 0 && t.tracker != nil {
		t.tracker.EvalUnary(nil, 0, tollCall{}, types.Uint(t.due), nil)
	}
	t.due = 0
}

// equal adds the cost of a comparison of two values. It compares nothing: where a comparison stops at the first difference, it
// goes on, so that the cost does not depend on the order of the members of an object.
func (t *toll) equal(left, right ref.Val) {
	t.add(1)
	switch left := left.(type) {
	case types.String, types.Bytes:
		t.add(min(length(left), length(right)) / textUnit)
	case traits.Lister:
		other, is := right.(traits.Lister)
		if !is || left.Size() != other.Size() {
			return
		}
		for i := types.Int(0); i < left.Size().(types.Int); i++ {
			t.equal(left.Get(i), other.Get(i))
		}
	case traits.Mapper:
		other, is := right.(traits.Mapper)
		if !is || left.Size() != other.Size() {
			return
		}
		for names := left.Iterator(); names.HasNext() == types.True; {
			name := names.Next()
			t.add(1)
			t.key(name)
			if member, found := other.Find(name); found {
				t.equal(left.Get(name), member)
			}
		}
	}
}

// key adds the cost of looking up a key, which is hashed.
func (t *toll) key(key any) { t.add(length(key) / textUnit) }

// search adds the cost of a search for a value in a list, or of a key in an object. CEL counts the elements of a list only if it
// knows the type of the list.
func (t *toll) search(wanted, within ref.Val) {
	elements, is := within.(traits.Lister)
	if !is {
		t.key(wanted)
		return
	}
	t.add(int(elements.Size().(types.Int)) / searchUnit)
	if !deep(wanted) {
		return
	}
	for i := types.Int(0); i < elements.Size().(types.Int); i++ {
		t.equal(elements.Get(i), wanted)
	}
}

// deep reports whether the comparison of a value with another one may take long.
func deep(value ref.Val) bool {
	switch value := value.(type) {
	case types.String, types.Bytes:
		return length(value) >= textUnit
	case traits.Lister, traits.Mapper:
		return true
	default:
		return false
	}
}

// length returns the length of a text in bytes.
func length(value any) int {
	switch value := value.(type) {
	case types.String:
		return len(value)
	case types.Bytes:
		return len(value)
	case string:
		return len(value)
	default:
		return 0
	}
}

// tracker returns CEL's count of an evaluation.
func tracker(activation interpreter.Activation) *cost.Tracker {
	for activation != nil {
		if frame, is := activation.(*interpreter.ExecutionFrame); is {
			return frame.CostTracker()
		}
		activation = activation.Parent()
	}
	return nil
}
