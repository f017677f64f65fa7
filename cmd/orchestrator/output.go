package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf16"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// printer writes the result of a command.
type printer struct {
	out    io.Writer
	json   bool
	answer []byte // the answer of the API, if it was called
	now    time.Time
}

func (r *remote) printer(out *streams) printer {
	return printer{out: out.out, json: r.Output == "json", answer: r.answer, now: time.Now()}
}

// show writes a table, or JSON: the answer of the API, or the value if the API was not called. The JSON is equal to the answer, but
// characters that a terminal might obey are escaped.
func (p printer) show(value any, table func(*tabwriter.Writer)) error {
	if p.json && p.answer != nil {
		_, err := fmt.Fprintln(p.out, escaped(string(bytes.TrimSpace(p.answer))))
		return err
	}
	if p.json {
		encoded, err := saga.EncodeJSON(value)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(p.out, escaped(string(encoded)))
		return err
	}
	aligned := tabwriter.NewWriter(p.out, 0, 0, 2, ' ', 0)
	table(aligned)
	return aligned.Flush()
}

// row writes a row of a table.
func row(table io.Writer, cells ...any) {
	for i, cell := range cells {
		if i > 0 {
			fmt.Fprint(table, "\t")
		}
		fmt.Fprint(table, plain(shortened(fmt.Sprint(cell))))
	}
	fmt.Fprintln(table)
}

// plain makes text safe for a terminal, and shows an empty cell as a dash. Text from workers may contain anything.
func plain(text string) string {
	text = strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return ' '
	}, text)
	if text == "" {
		return "-"
	}
	return text
}

// escaped returns a JSON document with the characters that cannot be printed as escapes. They stand in its strings only: what
// stands between these is ASCII.
func escaped(document string) string {
	if strings.IndexFunc(document, hidden) < 0 {
		return document
	}
	var text strings.Builder
	for _, c := range document {
		if !hidden(c) {
			text.WriteRune(c)
			continue
		}
		for _, unit := range utf16.Encode([]rune{c}) {
			fmt.Fprintf(&text, `\u%04x`, unit)
		}
	}
	return text.String()
}

// hidden reports whether a character beyond ASCII cannot be printed, or DEL.
func hidden(c rune) bool { return c >= 0x7f && !unicode.IsPrint(c) }

// ago formats the time since t.
func (p printer) ago(t resource.Time) string {
	if t.IsZero() {
		return ""
	}
	return rough(p.now.Sub(t.Time)) + " ago"
}

func (p printer) agoOf(t *resource.Time) string {
	if t == nil {
		return ""
	}
	return p.ago(*t)
}

// rough formats a duration in its largest unit.
func rough(d time.Duration) string {
	switch {
	case d < time.Second:
		return "0s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

func words(actions []saga.ActionName) string {
	names := make([]string, len(actions))
	for i, action := range actions {
		names[i] = strings.ReplaceAll(string(action), "_", "-")
	}
	return strings.Join(names, ", ")
}

// count formats a number that may be unknown.
func count[T int | int64](number *T) string {
	if number == nil {
		return "?"
	}
	return fmt.Sprint(*number)
}
