package process

import (
	"bytes"
	"strings"
	"sync"
)

// output keeps the end of a process's output, and sends its first line on standard output to a channel.
type output struct {
	line chan string

	mu   sync.Mutex
	kept []byte
	said []byte // the first line, until it is complete
	done bool
}

const keptOutput = 4 << 10

func newOutput() *output { return &output{line: make(chan string, 1)} }

// Write appends to the output.
func (o *output) Write(content []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = append(o.kept, content...)
	o.kept = o.kept[max(0, len(o.kept)-keptOutput):]
	return len(content), nil
}

func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return strings.TrimSpace(string(o.kept))
}

// first is the writer for standard output.
func (o *output) first() firstLine { return firstLine{o} }

type firstLine struct{ *output }

// Write appends to the output, and sends the first line.
func (f firstLine) Write(content []byte) (int, error) {
	f.mu.Lock()
	if !f.done {
		f.said = append(f.said, content...)
		if line, _, complete := bytes.Cut(f.said, []byte("\n")); complete {
			f.done = true
			f.line <- string(line)
		}
	}
	f.mu.Unlock()
	return f.output.Write(content)
}
