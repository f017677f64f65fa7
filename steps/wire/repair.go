package wire

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

const (
	// unusable is a number that no limit allows. It stands for what JSON has no number for.
	unusable = "1e999"
	// unreadable is a half of a character, which no limit allows either. It stands for a backslash that begins no escape of JSON.
	unreadable = `\ud800`
)

// repair is how to repair a document.
type repair struct {
	asText  bool // keep what JSON does not have as its literal characters; else put what no limit allows in its place
	escapes bool // repair escapes too
}

// repaired returns a document without the usual faults of encoders: control characters within strings, which it escapes; NaN and
// infinities; escapes that JSON does not have, as in a path on Windows; and zero bytes at the end. A verdict beside them is clear.
func repaired(document []byte, how repair) []byte {
	document = bytes.TrimRight(document, "\x00 \t\r\n")
	fixed := make([]byte, 0, len(document)+64)
	for at := 0; at < len(document); {
		if document[at] == '"' {
			end := stringEnd(document, at)
			fixed = appendEscaped(fixed, document[at:end], how)
			at = end
			continue
		}
		if skipped := notNumber(document[at:]); skipped > 0 {
			if how.asText {
				fixed = strconv.AppendQuote(fixed, string(document[at:at+skipped]))
			} else {
				fixed = append(fixed, unusable...)
			}
			at += skipped
			continue
		}
		fixed = append(fixed, document[at])
		at++
	}
	return fixed
}

// notNumber returns the length of the word for a number that JSON does not have, if the text begins with one. Python's encoder
// writes NaN and Infinity by default; C's printf writes nan and inf, and Go's +Inf.
func notNumber(text []byte) int {
	sign := 0
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		sign = 1
	}
	for _, word := range []string{"infinity", "inf", "nan"} {
		if end := sign + len(word); len(text) >= end && strings.EqualFold(string(text[sign:end]), word) {
			return end
		}
	}
	return 0
}

// stringEnd returns the place after the string that begins at a quote.
func stringEnd(document []byte, at int) int {
	for at++; at < len(document); at++ {
		switch document[at] {
		case '\\':
			at++
		case '"':
			return at + 1
		}
	}
	return len(document)
}

// appendEscaped appends a string with its quotes.
func appendEscaped(to, quoted []byte, how repair) []byte {
	for at := 0; at < len(quoted); at++ {
		b := quoted[at]
		if b < ' ' {
			to = fmt.Appendf(to, `\u%04x`, b)
			continue
		}
		if b != '\\' || !how.escapes {
			to = append(to, b)
			continue
		}
		switch length := escapeLength(quoted[at:]); {
		case length > 0:
			to = append(to, quoted[at:at+length]...)
			at += length - 1
		case how.asText:
			to = append(to, `\\`...)
		default:
			to = append(to, unreadable...)
		}
	}
	return to
}

// escapeLength returns the length of the escape at the beginning of a text, or 0 if JSON does not have it.
func escapeLength(text []byte) int {
	switch {
	case len(text) < 2:
		return 0
	case strings.IndexByte(`"\/bfnrt`, text[1]) >= 0:
		return 2
	case text[1] != 'u' || len(text) < 6:
		return 0
	}
	for _, digit := range text[2:6] {
		if strings.IndexByte("0123456789abcdefABCDEF", digit) < 0 {
			return 0
		}
	}
	return 6
}
