package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/saga-orchestrator/orchestrator/api/resource"
	"github.com/saga-orchestrator/orchestrator/saga"
)

// timeOf returns the time in a value of the API. ok is false for none.
func timeOf(at any) (t time.Time, ok bool) {
	switch at := at.(type) {
	case time.Time:
		return at, !at.IsZero()
	case resource.Time:
		return at.Time, !at.IsZero()
	case *resource.Time:
		if at != nil {
			return at.Time, !at.IsZero()
		}
	}
	return time.Time{}, false
}

// since returns how long ago that was, such as "5m ago".
func since(at any, now time.Time) string {
	t, ok := timeOf(at)
	switch {
	case !ok:
		return ""
	case now.Sub(t) < time.Second:
		return "just now"
	default:
		return rough(now.Sub(t)) + " ago"
	}
}

// ahead returns in how long that is, such as "in 5m".
func ahead(at any, now time.Time) string {
	t, ok := timeOf(at)
	switch {
	case !ok:
		return "at an unknown time"
	case t.Sub(now) < time.Second:
		return "now"
	default:
		return "in " + rough(t.Sub(now))
	}
}

// rough returns a duration in its two largest units.
func rough(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + "ms"
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
	case d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + "s"
	case d < 10*time.Minute:
		return fmt.Sprintf("%dm %ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < time.Hour:
		return strconv.Itoa(int(d.Minutes())) + "m"
	case d < day:
		return fmt.Sprintf("%dh %dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd %dh", int(d/day), int(d.Hours())%24)
	}
}

func took(from, to any) string {
	a, ok := timeOf(from)
	b, known := timeOf(to)
	if !ok || !known {
		return ""
	}
	return rough(max(0, b.Sub(a)))
}

func clock(at any) string {
	t, ok := timeOf(at)
	if !ok {
		return ""
	}
	return t.UTC().Format("15:04:05.000")
}

func stamp(at any) string {
	t, ok := timeOf(at)
	if !ok {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

func iso(at any) string {
	t, ok := timeOf(at)
	if !ok {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// count shows a number of the API, or a dash where it is not known.
func count(value any) string {
	switch value := value.(type) {
	case *int:
		if value != nil {
			return number(int64(*value))
		}
	case *int64:
		if value != nil {
			return number(*value)
		}
	case *float64:
		if value != nil {
			return strconv.FormatFloat(*value, 'f', -1, 64)
		}
	case int:
		return number(int64(value))
	case int64:
		return number(value)
	}
	return "–"
}

// number groups the digits: 12,345.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func plural(n any, one, many string) string {
	if fmt.Sprint(n) == "1" {
		return one
	}
	return many
}

// words shows an identifier as words: retries_exhausted becomes retries exhausted.
func words(value any) string { return strings.ReplaceAll(fmt.Sprint(value), "_", " ") }

// sentence begins with a capital letter.
func sentence(value any) string {
	shown := words(value)
	first, size := utf8.DecodeRuneInString(shown)
	return strings.ToUpper(string(first)) + shown[size:]
}

func text(value any) string { return fmt.Sprint(value) }

// cut shortens a text to so many characters.
func cut(value any, longest int) string {
	shown := fmt.Sprint(value)
	if utf8.RuneCountInString(shown) <= longest {
		return shown
	}
	return string([]rune(shown)[:longest-1]) + "…"
}

// maxShown is how many bytes of a JSON document the page shows. The API has all of it.
const maxShown = 20 << 10

// pretty indents JSON, and shortens it.
func pretty(value any) string { return shortened(indented(value)) }

// indented indents JSON. Forms use it: what a form leaves out would be lost.
func indented(value any) string {
	raw, ok := value.(json.RawMessage)
	if !ok {
		raw, _ = json.Marshal(value) // the values are those of decoded JSON
	}
	var text bytes.Buffer
	if saga.JSONDepth(raw) > maxIndented || json.Indent(&text, raw, "", "  ") != nil {
		return string(raw)
	}
	return text.String()
}

// maxIndented is the nesting up to which JSON is indented: each level indents all below it.
const maxIndented = 200

func shortened(shown string) string {
	if len(shown) <= maxShown {
		return shown
	}
	return strings.ToValidUTF8(shown[:maxShown], "") + "\n… and " + byteSize(len(shown)-maxShown) + " more"
}

func byteSize(n int) string {
	switch {
	case n < 1<<10:
		return strconv.Itoa(n) + " B"
	case n < 1<<20:
		return strconv.FormatFloat(float64(n)/(1<<10), 'f', 1, 64) + " KiB"
	default:
		return strconv.FormatFloat(float64(n)/(1<<20), 'f', 1, 64) + " MiB"
	}
}

// short shows the end of an id, which is where ids of the same minute differ.
func short(id any) string {
	shown := fmt.Sprint(id)
	if len(shown) <= 8 {
		return shown
	}
	return "…" + shown[len(shown)-7:]
}

func pct(value float64) string { return strconv.FormatFloat(value, 'f', 3, 64) + "%" }

func escape(value string) string { return url.QueryEscape(value) }

func list(values ...any) []any { return values }
