package saga

import (
	"fmt"
	"slices"
	"strings"
)

// Fault is one fault of a definition. Pointer is a JSON pointer into its JSON form.
type Fault struct {
	Pointer string `json:"pointer"`
	Message string `json:"message"`
}

// Faults is every fault of a definition. It is the error of Build, ParseDefinition and ReadDefinition.
type Faults []Fault

// Error lists every fault on one line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, fault := range f {
		lines[i] = strings.TrimSpace(fault.Pointer + " " + fault.Message)
	}
	return "invalid definition: " + strings.Join(lines, "; ")
}

func (f *Faults) add(pointer, format string, arguments ...any) {
	*f = append(*f, Fault{Pointer: pointer, Message: fmt.Sprintf(format, arguments...)})
}

// bounded limits the number of faults, so that an error is not many times larger than its definition.
func (f Faults) bounded() Faults {
	if len(f) <= MaxFaults {
		return f
	}
	listed := slices.Clone(f[:MaxFaults-1])
	listed.add("", "and %d more faults", len(f)-len(listed))
	return listed
}
