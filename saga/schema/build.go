package schema

import (
	"fmt"
	"strings"
	"time"
)

// maxBuild bounds what it costs to compile a schema, in units of about 100 nanoseconds.
const (
	maxBuild  = 5_000_000
	buildWork = 100 * time.Nanosecond
)

// partCost is the cost of one array or object of a document, in units of maxBuild.
const partCost = 500

// document counts what the library handles when it compiles a schema: it keeps the whole JSON pointer of each part, and
// copies what it knows of the parts when a reference leads to a place that it has not seen.
type document struct{ parts, pointers, references, names int }

var errBuild = fmt.Errorf("costs more than %d units to compile: it has too many parts or references", maxBuild)

// buildCost returns what it costs to compile a schema, and whether that is within the limit.
func buildCost(value any) (units int, affordable bool) {
	var d document
	d.count(value, 0)
	units = d.parts*partCost + d.pointers + d.references*(d.parts+8*d.names)
	return units, units <= maxBuild
}

// count adds a value whose JSON pointer has so many bytes.
func (d *document) count(value any, pointer int) {
	switch value := value.(type) {
	case map[string]any:
		d.parts, d.pointers = d.parts+1, d.pointers+pointer
		for name, member := range value {
			switch name {
			case "$ref", "$dynamicRef", "$recursiveRef":
				d.references++
			case "$id", "$anchor", "$dynamicAnchor":
				d.names++
			}
			d.count(member, pointer+1+len(name)+strings.Count(name, "~")+strings.Count(name, "/"))
		}
	case []any:
		d.parts, d.pointers = d.parts+1, d.pointers+pointer
		for _, element := range value {
			d.count(element, pointer+5)
		}
	}
}
