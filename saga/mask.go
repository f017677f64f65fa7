package saga

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Masked is what callers see in place of a sensitive value.
const Masked = "***"

// Mask returns data, an output or a merge patch of the saga with "***" in place of each sensitive value. A value that stands
// in the way of a pointer, such as a text where an object was expected, is masked, too; null is not.
func (d *Definition) Mask(data json.RawMessage) json.RawMessage {
	if d.hidden == nil {
		return data
	}
	if d.hidden.whole {
		return MaskAll(data)
	}
	return d.hidden.mask(data, nil)
}

// MaskOutput is Mask for an output of a step.
func (d *Definition) MaskOutput(step string, output json.RawMessage) json.RawMessage {
	i := d.step(step)
	if d.hidden == nil || d.hidden.whole || i < 0 || d.Steps[i].OutputAs == "" {
		return d.Mask(output)
	}
	node := d.hidden.members[d.Steps[i].OutputAs]
	switch {
	case node == nil:
		return output
	case node.whole:
		return MaskAll(output)
	default:
		return node.mask(output, nil)
	}
}

// MaskInput is Mask for the data that the commands of a step carry.
func (d *Definition) MaskInput(step string, data json.RawMessage) json.RawMessage {
	i := d.step(step)
	if d.hidden == nil || d.hidden.whole || i < 0 || d.Steps[i].Input == nil {
		return d.Mask(data)
	}
	found := members(data)
	if found == nil {
		return MaskAll(data)
	}
	for name, value := range found {
		pointer, known := d.Steps[i].Input[name]
		switch node := d.hidden.at(pointer); {
		case !known:
			found[name] = (&sensitiveNode{whole: true}).mask(value, nil)
		case node != nil:
			found[name] = node.mask(value, nil)
		}
	}
	return encodedOrMasked(found)
}

// MaskAll masks each member of an object, and any other value.
func MaskAll(data json.RawMessage) json.RawMessage {
	found := members(data)
	if found == nil {
		return (&sensitiveNode{whole: true}).mask(data, nil)
	}
	for name, value := range found {
		found[name] = (&sensitiveNode{whole: true}).mask(value, nil)
	}
	return encodedOrMasked(found)
}

func maskedValue() json.RawMessage { return json.RawMessage(`"` + Masked + `"`) }

func encodedOrMasked(value any) json.RawMessage {
	encoded, err := EncodeJSON(value)
	if err != nil {
		return maskedValue()
	}
	return encoded
}

// mask returns the value as masked. taken, if non-nil, is called with each value that is masked.
func (n *sensitiveNode) mask(raw json.RawMessage, taken func(json.RawMessage)) json.RawMessage {
	raw = bytes.TrimSpace(raw)
	if isNull(raw) {
		return raw
	}
	if !n.whole {
		switch raw[0] {
		case '{':
			if masked, ok := n.maskObject(raw, taken); ok {
				return masked
			}
		case '[':
			if masked, ok := n.maskArray(raw, taken); ok {
				return masked
			}
		}
	}
	if taken != nil {
		taken(raw)
	}
	return maskedValue()
}

func (n *sensitiveNode) maskObject(raw json.RawMessage, taken func(json.RawMessage)) (masked json.RawMessage, ok bool) {
	found := members(raw)
	if found == nil {
		return nil, false
	}
	changed := false
	for name, node := range n.members {
		if value, there := found[name]; there {
			found[name], changed = node.mask(value, taken), true
		}
	}
	if !changed {
		return raw, true
	}
	return encodedOrMasked(found), true
}

// maskArray requires that every token is an index: otherwise an object was expected.
func (n *sensitiveNode) maskArray(raw json.RawMessage, taken func(json.RawMessage)) (masked json.RawMessage, ok bool) {
	var elements []json.RawMessage
	if json.Unmarshal(raw, &elements) != nil {
		return nil, false
	}
	for token, node := range n.members {
		i, err := strconv.Atoi(token)
		if err != nil || i < 0 || strconv.Itoa(i) != token {
			return nil, false
		}
		if i < len(elements) {
			elements[i] = node.mask(elements[i], taken)
		}
	}
	return encodedOrMasked(elements), true
}
