package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
)

// sagaFilters returns the names of the filters of sagas, and letterFilters those of dead letters. They are checked here, so
// that a misspelt name is wrong usage, as a misspelt flag is.
func sagaFilters() []string {
	return []string{
		"ids", "definition", "version", "status", "key", "label", "created_after", "created_before", "attention", "attention_reason",
		"step", "error_code", "parent",
	}
}

func letterFilters() []string {
	return []string{"ids", "queue", "reason", "source", "saga", "received_after", "received_before"}
}

// filter converts name=value,name=value to the JSON form of a filter. A repeated name becomes a list.
func (f bulkFlags) filter(names []string) (json.RawMessage, error) {
	members := make(map[string]any)
	given := strings.Join(f.Filter, ",")
	pairs, err := splitFilter(given)
	if err != nil {
		return nil, err
	}
	for _, pair := range pairs {
		name, value, found := strings.Cut(pair, "=")
		if !found || name == "" || value == "" {
			return nil, usage("--filter %q: want name=value,name=value", given)
		}
		switch {
		case !slices.Contains(names, name):
			return nil, usage("--filter: %q is not a filter here: want %s", name, strings.Join(names, ", "))
		case slices.Contains([]string{"ids", "status", "label", "attention_reason"}, name):
			list, _ := members[name].([]string)
			members[name] = append(list, value)
		case members[name] != nil:
			return nil, usage("--filter: %s must be given once", name)
		case name == "attention":
			members[name] = value == "true"
		case name == "version":
			number, err := strconv.Atoi(value)
			if err != nil {
				return nil, usage("--filter: version must be a number")
			}
			members[name] = number
		default:
			members[name] = value
		}
	}
	return json.Marshal(members)
}

// splitFilter splits at commas, and replaces escapes: \t, \n, \r and \uXXXX as in JSON. A backslash in front of any other
// character keeps that one.
func splitFilter(text string) (pairs []string, err error) {
	var pair []uint16 // UTF-16, so that two escapes may be one character, as in JSON
	rest := utf16.Encode([]rune(text))
	for len(rest) > 0 {
		unit := rest[0]
		rest = rest[1:]
		switch {
		case unit == ',':
			pairs, pair = append(pairs, string(utf16.Decode(pair))), nil
			continue
		case unit == '\\' && len(rest) == 0:
			continue
		case unit == '\\':
			if unit, rest, err = unescape(rest); err != nil {
				return nil, err
			}
		}
		pair = append(pair, unit)
	}
	return append(pairs, string(utf16.Decode(pair))), nil
}

// unescape returns the UTF-16 unit for which the text after a backslash stands, and what follows it.
func unescape(text []uint16) (unit uint16, rest []uint16, err error) {
	const digits = 4
	switch unit, rest = text[0], text[1:]; unit {
	case 't':
		return '\t', rest, nil
	case 'n':
		return '\n', rest, nil
	case 'r':
		return '\r', rest, nil
	case 'u':
		code := string(utf16.Decode(rest[:min(digits, len(rest))]))
		number, err := strconv.ParseUint(code, 16, 16)
		if err != nil || len(code) != digits {
			return 0, nil, usage(`--filter: \u must be followed by four hexadecimal digits`)
		}
		return uint16(number), rest[digits:], nil
	default:
		return unit, rest, nil
	}
}

// filterValue makes a value stand for itself in --filter, also if it is copied from a terminal.
func filterValue(text string) string {
	var value strings.Builder
	for _, c := range text {
		switch {
		case c == '\\' || c == ',':
			value.WriteString(`\` + string(c))
		case c == '\t':
			value.WriteString(`\t`)
		case c == '\n':
			value.WriteString(`\n`)
		case c == '\r':
			value.WriteString(`\r`)
		case !unicode.IsPrint(c):
			for _, unit := range utf16.Encode([]rune{c}) {
				fmt.Fprintf(&value, `\u%04x`, unit)
			}
		default:
			value.WriteRune(c)
		}
	}
	return value.String()
}
