package ui

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// How much of a saga its view holds. The API has all of it, and the view links to that.
const (
	maxShownData    = 16 << 10 // bytes of HTML for the data
	maxShownSteps   = 12 << 10 // for inputs, outputs and errors of steps
	maxEdited       = 96 << 10 // of data that a form lets an operator edit as a whole
	maxShownHistory = 8 << 10  // for the details of the history
	mostDetailed    = 8        // steps with details; the timeline links to those of further ones
	rowSize         = 200      // bytes of a row around its texts
	mostEntries     = 25       // newest entries of the history
	mostBars        = 200      // of the timeline
	mostDrawn       = 25       // steps of the graph beside a saga
)

// room is how many bytes of HTML a part of a view may still take. A long text takes at most a quarter of what is left, so
// that texts after it have some, too.
type room struct {
	left int
	cut  bool // something was left out
}

// large reports whether data does not fit into a form.
func large(data json.RawMessage) bool {
	whole := indented(data)
	shown, _ := fitting(whole, maxEdited)
	return len(shown) < len(whole)
}

// text returns as much of a text as fits.
func (r *room) text(whole string, longest int) string {
	shown, cost := fitting(whole, min(longest, r.left/4))
	r.left -= cost
	if len(shown) == len(whole) {
		return whole
	}
	r.cut = true
	return shown + "\n… and " + byteSize(len(whole)-len(shown)) + " more"
}

// json returns as much of a JSON value as fits, indented.
func (r *room) json(value json.RawMessage) string {
	if value == nil {
		return ""
	}
	return r.text(indented(value), maxShown)
}

// object returns as many members of an object as fit, indented.
func (r *room) object(members object) string {
	if len(members) == 0 {
		return ""
	}
	names := slices.Sorted(maps.Keys(members))
	own := room{left: r.left / 4}
	var shown strings.Builder
	for i, name := range names {
		quotedName, _ := json.Marshal(name) // a string
		before := "{\n  "
		if i > 0 {
			before = ",\n  "
		}
		if own.left < 100 {
			own.cut = true
			fmt.Fprintf(&shown, "\n… and %d more members", len(names)-i)
			break
		}
		shown.WriteString(before + own.text(string(quotedName), maxShown) + ": " + strings.ReplaceAll(own.json(members[name]), "\n", "\n  "))
	}
	if !own.cut {
		shown.WriteString("\n}")
	}
	r.left -= r.left/4 - own.left
	r.cut = r.cut || own.cut
	return shown.String()
}

// fitting returns the longest beginning of a text that takes at most so many bytes as HTML, and how many it takes.
func fitting(whole string, most int) (shown string, cost int) {
	for i, c := range whole {
		size := len(string(c))
		switch c {
		case '<', '>':
			size = 4
		case '&', '"', '\'', '+':
			size = 5
		}
		if cost+size > most {
			return whole[:i], cost
		}
		cost += size
	}
	return whole, cost
}
