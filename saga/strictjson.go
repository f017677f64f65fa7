package saga

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/saga-orchestrator/orchestrator/saga/rawjson"
)

// JSONLimits bounds a JSON document from outside.
type JSONLimits struct {
	Depth        int // nesting of arrays and objects
	Members      int // members of all objects and elements of all arrays, in total
	StringBytes  int
	NumberDigits int
	Exponent     int // absolute value of a number's exponent
}

// Default limits of a JSON document from outside.
const (
	MaxJSONDepth    = 32
	MaxJSONMembers  = 10_000
	MaxJSONString   = 1 << 20 // bytes; as large as the data of a saga may be
	MaxJSONDigits   = 1000
	MaxJSONExponent = 308
)

// DefaultJSONLimits returns the limits for data, outputs and request bodies.
func DefaultJSONLimits() JSONLimits {
	return JSONLimits{
		Depth: MaxJSONDepth, Members: MaxJSONMembers, StringBytes: MaxJSONString, NumberDigits: MaxJSONDigits,
		Exponent: MaxJSONExponent,
	}
}

// largestExponent is a power of ten that every double can hold.
const largestExponent = 308

// jsonSpace is the white space of JSON; Go and Unicode have more.
const jsonSpace = " \t\r\n"

// CheckJSON accepts one JSON document that every store and every worker reads alike. It refuses what encoding/json
// accepts but databases or other readers may not: invalid UTF-8, NUL characters, lone surrogates, duplicate members,
// numbers out of range and trailing data. Its errors never repeat the content.
func CheckJSON(document []byte, limits JSONLimits) error {
	if len(bytes.Trim(document, jsonSpace)) == 0 {
		return errors.New("empty, want a JSON document")
	}
	if !utf8.Valid(document) {
		return fmt.Errorf("not valid UTF-8 at byte %d", invalidUTF8(document))
	}
	if err := wellFormed(document, limits.Depth); err != nil {
		return err
	}
	check := jsonCheck{text: document, limits: limits}
	return check.value(1)
}

// invalidUTF8 returns the position of the first byte that is not part of a UTF-8 sequence.
func invalidUTF8(document []byte) int {
	for at := 0; at < len(document); {
		r, size := utf8.DecodeRune(document[at:])
		if r == utf8.RuneError && size <= 1 {
			return at
		}
		at += size
	}
	return len(document)
}

// wellFormed checks the grammar, so that jsonCheck can rely on it. encoding/json finds where a fault is.
func wellFormed(document []byte, depth int) error {
	if rawjson.Valid(document) {
		return nil
	}
	var raw json.RawMessage
	decoder := json.NewDecoder(bytes.NewReader(document))
	if err := decoder.Decode(&raw); err != nil {
		syntax, ok := errors.AsType[*json.SyntaxError](err)
		switch {
		case ok && strings.Contains(syntax.Error(), "max depth"): // encoding/json has a limit above ours
			return fmt.Errorf("nested deeper than %d before byte %d", depth, syntax.Offset)
		case ok:
			return fmt.Errorf("not valid JSON at byte %d", syntax.Offset)
		}
		return fmt.Errorf("not valid JSON: it ends too early, at byte %d", len(document))
	}
	if rest := document[decoder.InputOffset():]; len(bytes.Trim(rest, jsonSpace)) > 0 {
		return fmt.Errorf("data after the JSON document at byte %d", decoder.InputOffset())
	}
	return nil
}

// jsonCheck checks what the grammar does not. The document must be well-formed.
type jsonCheck struct {
	text    []byte
	at      int
	members int
	limits  JSONLimits
}

func (c *jsonCheck) value(depth int) error {
	c.space()
	switch c.text[c.at] {
	case '{', '[':
		if depth > c.limits.Depth {
			return fmt.Errorf("nested deeper than %d at byte %d", c.limits.Depth, c.at)
		}
		return c.container(depth)
	case '"':
		_, err := c.quoted()
		return err
	case 't', 'n':
		c.at += len("true")
	case 'f':
		c.at += len("false")
	default:
		return c.number()
	}
	return nil
}

func (c *jsonCheck) container(depth int) error {
	object := c.text[c.at] == '{'
	closing := byte(']')
	var names map[string]bool
	if object {
		closing, names = '}', make(map[string]bool)
	}
	c.at++
	for c.space(); c.text[c.at] != closing; c.space() {
		if c.text[c.at] == ',' {
			c.at++
			c.space()
		}
		if c.members++; c.members > c.limits.Members {
			return fmt.Errorf("more than %d members and elements at byte %d", c.limits.Members, c.at)
		}
		if object {
			if err := c.member(names); err != nil {
				return err
			}
		}
		if err := c.value(depth + 1); err != nil {
			return err
		}
	}
	c.at++
	return nil
}

// member reads the name of a member and its colon.
func (c *jsonCheck) member(names map[string]bool) error {
	start := c.at
	name, err := c.quoted()
	if err != nil {
		return err
	}
	if names[name] {
		return fmt.Errorf("a member name is repeated at byte %d", start)
	}
	names[name] = true
	c.space()
	c.at++
	return nil
}

// quoted reads a string and returns it unescaped.
func (c *jsonCheck) quoted() (string, error) {
	start, escaped := c.at, false
	for c.at = rawjson.NextSpecial(c.text, c.at+1); c.text[c.at] != '"'; c.at = rawjson.NextSpecial(c.text, c.at+1) {
		escaped = true // the document is well-formed, so this is a backslash
		c.at++
		if c.text[c.at] == 'u' {
			if err := c.escape(); err != nil {
				return "", err
			}
		}
	}
	c.at++
	if length := c.at - start - 2; length > c.limits.StringBytes {
		return "", fmt.Errorf("a string of %d bytes at byte %d, the limit is %d", length, start, c.limits.StringBytes)
	}
	if !escaped {
		return string(c.text[start+1 : c.at-1]), nil
	}
	var text string
	if err := json.Unmarshal(c.text[start:c.at], &text); err != nil {
		return "", fmt.Errorf("not a valid string at byte %d", start)
	}
	return text, nil
}

// escape checks a \u escape. c.at is on the u before, and on the last digit of the escape or its pair after.
func (c *jsonCheck) escape() error {
	start := c.at - 1
	code := c.hex(c.at + 1)
	c.at += 4
	switch {
	case code == 0:
		return fmt.Errorf("a NUL character at byte %d", start)
	case code >= 0xDC00 && code <= 0xDFFF:
		return fmt.Errorf("a lone surrogate at byte %d", start)
	case code >= 0xD800 && code <= 0xDBFF:
		if c.at+6 >= len(c.text) || c.text[c.at+1] != '\\' || c.text[c.at+2] != 'u' {
			return fmt.Errorf("a lone surrogate at byte %d", start)
		}
		if low := c.hex(c.at + 3); low < 0xDC00 || low > 0xDFFF {
			return fmt.Errorf("a lone surrogate at byte %d", start)
		}
		c.at += 6
	}
	return nil
}

func (c *jsonCheck) hex(from int) uint64 {
	code, err := strconv.ParseUint(string(c.text[from:from+4]), 16, 32)
	if err != nil {
		return 0 // cannot be: the grammar was checked
	}
	return code
}

func (c *jsonCheck) number() error {
	start := c.at
	digits, exponentAt := 0, -1
	for ; c.at < len(c.text); c.at++ {
		switch b := c.text[c.at]; {
		case b >= '0' && b <= '9':
			if exponentAt < 0 {
				digits++
			}
		case b == 'e' || b == 'E':
			exponentAt = c.at + 1
		case b != '-' && b != '+' && b != '.':
			return c.checkNumber(start, digits, exponentAt)
		}
	}
	return c.checkNumber(start, digits, exponentAt)
}

func (c *jsonCheck) checkNumber(start, digits, exponentAt int) error {
	if digits > c.limits.NumberDigits {
		return fmt.Errorf("a number of %d digits at byte %d, the limit is %d", digits, start, c.limits.NumberDigits)
	}
	exponent := 0
	if exponentAt >= 0 {
		given, err := strconv.Atoi(string(c.text[exponentAt:c.at]))
		if err != nil || given > c.limits.Exponent || given < -c.limits.Exponent {
			return fmt.Errorf("a number with an exponent beyond %d at byte %d", c.limits.Exponent, start)
		}
		exponent = given
	}
	if exponent+digits <= largestExponent {
		return nil // in range by its length; parsing is slow, and a document may hold thousands of long numbers
	}
	if _, err := strconv.ParseFloat(string(c.text[start:c.at]), 64); err != nil {
		return fmt.Errorf("a number beyond 1.8e308, what a double holds, at byte %d", start)
	}
	return nil
}

func (c *jsonCheck) space() {
	for c.at < len(c.text) {
		switch c.text[c.at] {
		case ' ', '\t', '\n', '\r':
			c.at++
		default:
			return
		}
	}
}
