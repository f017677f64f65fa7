package wire

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// unusable is a number that no limit allows. It stands for what JSON has no number for.
const unusable = "1e999"

// repaired returns a document without the usual faults of encoders: control characters within strings, which it escapes; NaN and
// infinities, for which it writes an unusable number, or the word as a text; and zero bytes at the end. A verdict beside them is clear.
func repaired(document []byte, asText bool) []byte {
	document = bytes.TrimRight(document, "\x00 \t\r\n")
	fixed := make([]byte, 0, len(document)+64)
	for at := 0; at < len(document); {
		if document[at] == '"' {
			end := stringEnd(document, at)
			fixed = appendEscaped(fixed, document[at:end])
			at = end
			continue
		}
		if skipped := notNumber(document[at:]); skipped > 0 {
			if asText {
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

func appendEscaped(to, quoted []byte) []byte {
	for _, b := range quoted {
		if b < ' ' {
			to = fmt.Appendf(to, `\u%04x`, b)
		} else {
			to = append(to, b)
		}
	}
	return to
}
