package resource

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/saga-orchestrator/orchestrator/saga"
	"github.com/saga-orchestrator/orchestrator/saga/rawjson"
)

// object appends the members of JSON objects. Names need no escapes.
type object struct {
	text []byte
	err  error // the first error
}

func (o *object) begin() { o.text = append(o.text, '{') }

func (o *object) end() { o.text = append(o.text, '}') }

func (o *object) name(name string) {
	if o.text[len(o.text)-1] != '{' {
		o.text = append(o.text, ',')
	}
	o.text = append(append(append(o.text, '"'), name...), '"', ':')
}

func (o *object) null() { o.text = append(o.text, "null"...) }

func (o *object) quote(text string) { o.text = rawjson.AppendString(o.text, text) }

func (o *object) string(name, text string) {
	o.name(name)
	o.quote(text)
}

func (o *object) optional(name string, text Text) {
	o.name(name)
	if text == "" {
		o.null()
		return
	}
	o.quote(string(text))
}

func (o *object) integer(name string, number int64) {
	o.name(name)
	o.text = strconv.AppendInt(o.text, number, 10)
}

func (o *object) time(name string, at *Time) {
	o.name(name)
	if at == nil {
		o.null()
		return
	}
	o.text = at.appendTo(o.text)
}

func (o *object) document(name string, document json.RawMessage) {
	o.name(name)
	if len(document) == 0 {
		o.null()
		return
	}
	o.text = rawjson.AppendCompact(o.text, document)
}

func (o *object) labels(labels map[string]string) {
	o.name("labels")
	if labels == nil {
		o.null()
		return
	}
	o.begin()
	for i, label := range slices.Sorted(maps.Keys(labels)) {
		if i > 0 {
			o.text = append(o.text, ',')
		}
		o.quote(label)
		o.text = append(o.text, ':')
		o.quote(labels[label])
	}
	o.end()
}

// rare appends a member that most sagas do not have, which is why encoding/json may encode its value.
func (o *object) rare(name string, absent bool, value any) {
	o.name(name)
	if absent {
		o.null()
		return
	}
	text, err := saga.EncodeJSON(value)
	if err != nil && o.err == nil {
		o.err = err
	}
	o.text = append(o.text, text...)
}

func list[T any](o *object, name string, items []T, element func(T)) {
	o.name(name)
	if items == nil {
		o.null()
		return
	}
	o.text = append(o.text, '[')
	for i, item := range items {
		if i > 0 {
			o.text = append(o.text, ',')
		}
		element(item)
	}
	o.text = append(o.text, ']')
}
