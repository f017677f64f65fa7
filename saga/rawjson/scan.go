package rawjson

import (
	"encoding/binary"
	"math/bits"
)

// maxDepth limits the nesting of arrays and objects, as encoding/json does.
const maxDepth = 10_000

// Valid reports whether the text is one JSON document. It equals json.Valid.
func Valid(text []byte) bool {
	s := scanner{text: text}
	return s.value(1) && s.ended()
}

// scanner checks the grammar. Its methods return false at the first fault.
type scanner struct {
	text []byte
	at   int
}

// ended reports whether only white space is left.
func (s *scanner) ended() bool {
	s.space()
	return s.at == len(s.text)
}

func (s *scanner) space() {
	for s.at < len(s.text) && space(s.text[s.at]) {
		s.at++
	}
}

func space(b byte) bool { return b == ' ' || b == '\n' || b == '\r' || b == '\t' }

// next reads one byte, if it is the next one.
func (s *scanner) next(b byte) bool {
	if s.at < len(s.text) && s.text[s.at] == b {
		s.at++
		return true
	}
	return false
}

// value reads a value, with the white space before it.
func (s *scanner) value(depth int) bool {
	s.space()
	if s.at == len(s.text) || depth > maxDepth+1 {
		return false
	}
	switch s.text[s.at] {
	case '{':
		return depth <= maxDepth && s.object(depth, nil)
	case '[':
		return depth <= maxDepth && s.array(depth)
	case '"':
		return s.quoted()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

func (s *scanner) literal(word string) bool {
	end := s.at + len(word)
	if end > len(s.text) || string(s.text[s.at:end]) != word {
		return false
	}
	s.at = end
	return true
}

func (s *scanner) array(depth int) bool {
	s.at++
	if s.space(); s.next(']') {
		return true
	}
	for s.value(depth + 1) {
		if s.space(); s.next(']') {
			return true
		}
		if !s.next(',') {
			return false
		}
	}
	return false
}

// object reads an object. found, if non-nil, is called with the texts of the name, in its quotes, and the value of each member.
func (s *scanner) object(depth int, found func(name, value []byte)) bool {
	s.at++
	if s.space(); s.next('}') {
		return true
	}
	for {
		s.space()
		begin := s.at
		if s.at == len(s.text) || s.text[s.at] != '"' || !s.quoted() {
			return false
		}
		name := s.text[begin:s.at]
		if s.space(); !s.next(':') {
			return false
		}
		s.space()
		begin = s.at
		if !s.value(depth + 1) {
			return false
		}
		if found != nil {
			found(name, s.text[begin:s.at:s.at])
		}
		if s.space(); s.next('}') {
			return true
		}
		if !s.next(',') {
			return false
		}
	}
}

// quoted reads a string. s.at is on its first quote.
func (s *scanner) quoted() bool {
	for s.at = NextSpecial(s.text, s.at+1); s.at < len(s.text); s.at = NextSpecial(s.text, s.at) {
		switch s.text[s.at] {
		case '"':
			s.at++
			return true
		case '\\':
			if !s.escape() {
				return false
			}
		default:
			return false // a control character
		}
	}
	return false
}

func (s *scanner) escape() bool {
	if s.at+1 >= len(s.text) {
		return false
	}
	switch s.text[s.at+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.at += 2
		return true
	case 'u':
		s.at += 2
		for range 4 {
			if s.at == len(s.text) || !hex(s.text[s.at]) {
				return false
			}
			s.at++
		}
		return true
	default:
		return false
	}
}

func hex(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'f' || 'A' <= b && b <= 'F'
}

func (s *scanner) number() bool {
	s.next('-')
	if !s.next('0') && !s.digits() {
		return false
	}
	if s.next('.') && !s.digits() {
		return false
	}
	if s.next('e') || s.next('E') {
		_ = s.next('+') || s.next('-')
		return s.digits()
	}
	return true
}

// digits reads one digit or more.
func (s *scanner) digits() bool {
	begin := s.at
	for s.at < len(s.text) && '0' <= s.text[s.at] && s.text[s.at] <= '9' {
		s.at++
	}
	return s.at > begin
}

// NextSpecial returns the position, from a position within a string on, of the next byte that is a quote, a backslash or a
// control character; len(text) if there is none. It tests eight bytes at once, by arithmetic on words (Hacker's Delight, 6-1).
func NextSpecial(text []byte, from int) int {
	const (
		ones  = 0x0101010101010101
		highs = 0x8080808080808080
	)
	at := from
	for ; at+8 <= len(text); at += 8 {
		word := binary.LittleEndian.Uint64(text[at:])
		quote, backslash := word^ones*'"', word^ones*'\\'
		// The lowest bit that is set belongs to the first such byte; higher ones may be borrowed.
		found := ((word - ones*' ') &^ word) | ((quote - ones) &^ quote) | ((backslash - ones) &^ backslash)
		if found &= highs; found != 0 {
			return at + bits.TrailingZeros64(found)/8
		}
	}
	for ; at < len(text); at++ {
		if b := text[at]; b < ' ' || b == '"' || b == '\\' {
			return at
		}
	}
	return max(at, len(text))
}
