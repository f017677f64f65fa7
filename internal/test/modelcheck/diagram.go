package modelcheck

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Diagram returns a Mermaid state diagram with one arrow per pair of states, labelled with its causes.
func Diagram(changes map[Change]bool) string {
	type arrow struct{ from, to string }
	causes := make(map[arrow][]string)
	for c := range changes {
		key := arrow{c.From, c.To}
		causes[key] = append(causes[key], c.By)
	}
	arrows := slices.SortedFunc(maps.Keys(causes), func(a, b arrow) int {
		return strings.Compare(a.from+" "+a.to, b.from+" "+b.to)
	})
	var text strings.Builder
	text.WriteString("```mermaid\nstateDiagram-v2\n")
	for _, a := range arrows {
		fmt.Fprintf(&text, "    %s --> %s", a.from, a.to)
		if by := causes[a]; a.from != "[*]" && a.to != "[*]" {
			slices.Sort(by)
			fmt.Fprintf(&text, " : %s", strings.Join(by, ", "))
		}
		text.WriteByte('\n')
	}
	text.WriteString("```\n")
	return text.String()
}
