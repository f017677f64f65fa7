package rabbit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
)

// damageHeader is the header in which a mended message describes what was unreadable or cut.
const damageHeader = "saga-damage"

const (
	basicClass = 60

	flagContentType     = 0x8000
	flagContentEncoding = 0x4000
	flagHeaders         = 0x2000
)

// Limits of headers that pass unchanged, slightly below those of amqp091-go.
const (
	maxHeaderDepth    = 30
	maxHeaderElements = 8000
)

// Limits of what is kept of unreadable headers.
const (
	maxKeptValue   = 1 << 10
	maxKeptHeaders = 16 << 10
)

// contentHeader is the header frame of a message (AMQP 0-9-1, section 4.2.6.1).
type contentHeader struct {
	payload    []byte
	bodySize   uint64
	flags      uint16
	start, end int // of the headers table in the payload; equal: none
}

// parseContentHeader finds the headers table. It returns false if the frame is not the header of a message.
func parseContentHeader(payload []byte) (h contentHeader, ok bool) {
	const fixed = 14
	if len(payload) < fixed || binary.BigEndian.Uint16(payload) != basicClass {
		return h, false
	}
	h = contentHeader{payload: payload, bodySize: binary.BigEndian.Uint64(payload[4:]), flags: binary.BigEndian.Uint16(payload[12:])}
	h.start = fixed
	for _, flag := range []uint16{flagContentType, flagContentEncoding} {
		if h.flags&flag == 0 {
			continue
		}
		if h.start >= len(payload) || h.start+1+int(payload[h.start]) > len(payload) {
			return h, false
		}
		h.start += 1 + int(payload[h.start])
	}
	h.end = h.start
	if h.flags&flagHeaders == 0 {
		return h, true
	}
	if h.start+4 > len(payload) {
		return h, false
	}
	h.end = h.start + 4 + int(binary.BigEndian.Uint32(payload[h.start:]))
	return h, h.end <= len(payload)
}

// table returns the content of the headers table, without its length.
func (h *contentHeader) table() []byte {
	if h.start == h.end {
		return nil
	}
	return h.payload[h.start+4 : h.end]
}

// fault returns why the library would refuse this header, or "".
func (h *contentHeader) fault(frameLimit int) string {
	if len(h.payload) > frameLimit {
		return fmt.Sprintf("headers: %d bytes, the limit of a frame is %d", len(h.payload), frameLimit)
	}
	check := fieldReader{rest: h.table()}
	for len(check.rest) > 0 && check.fault == "" {
		check.entry(0)
	}
	return check.fault
}

// mended returns the payload with readable headers, the kept body size, and a description of the damage.
func (h *contentHeader) mended(damage string, kept uint64) []byte {
	table := h.table()
	if damage != "" {
		table = simpleEntries(table)
	}
	if kept < h.bodySize {
		damage = strings.TrimPrefix(fmt.Sprintf("%s; body: %d bytes, the first %d are kept", damage, h.bodySize, kept), "; ")
	}
	table = appendText(append([]byte(nil), table...), damageHeader, damage)
	payload := append([]byte(nil), h.payload[:h.start]...)
	binary.BigEndian.PutUint64(payload[4:], kept)
	binary.BigEndian.PutUint16(payload[12:], h.flags|flagHeaders)
	payload = binary.BigEndian.AppendUint32(payload, uint32(len(table))) //nolint:gosec // bounded by a frame
	payload = append(payload, table...)
	return append(payload, h.payload[h.end:]...)
}

// simpleEntries keeps the short and simple readable entries of a table, starting with those that identify the message
// and its first death.
func simpleEntries(table []byte) []byte {
	var vital, other []byte
	read := fieldReader{rest: table}
	for len(read.rest) > 0 {
		before := read.rest
		name, simple := read.entry(0)
		if read.fault != "" {
			if !read.skippable {
				break
			}
			read.fault, read.skippable, read.elements = "", false, 0
			continue
		}
		entry := before[:len(before)-len(read.rest)]
		if !simple || len(entry) > maxKeptValue {
			continue
		}
		if bytes.HasPrefix(name, []byte("x-first-death-")) || bytes.HasPrefix(name, []byte("saga-")) {
			vital = append(vital, entry...)
		} else if len(other)+len(entry) <= maxKeptHeaders {
			other = append(other, entry...)
		}
	}
	return append(vital[:min(len(vital), maxKeptHeaders)], other...)
}

func appendText(table []byte, name, value string) []byte {
	table = append(table, byte(len(name))) //nolint:gosec // names of ours are short
	table = append(table, name...)
	table = append(table, 'S')
	table = binary.BigEndian.AppendUint32(table, uint32(len(value))) //nolint:gosec // a sentence
	return append(table, value...)
}

// fieldReader parses a table without allocating its values.
type fieldReader struct {
	rest     []byte
	elements int
	fault    string
	// skippable means that rest is positioned after the faulty entry, so that parsing can continue.
	skippable bool
}

// entry reads one entry of a table. simple reports whether its value contains no other values.
func (f *fieldReader) entry(depth int) (name []byte, simple bool) {
	name = f.take(f.length(1))
	kind := f.take(1)
	if f.fault != "" {
		return name, false
	}
	return name, f.value(kind[0], depth)
}

func (f *fieldReader) value(kind byte, depth int) (simple bool) {
	if f.elements++; f.elements > maxHeaderElements {
		f.fail("headers: more than %d elements", maxHeaderElements)
	}
	switch kind {
	case 't', 'b', 'B':
		f.take(1)
	case 's', 'u':
		f.take(2)
	case 'I', 'i', 'f':
		f.take(4)
	case 'D':
		f.take(5)
	case 'l', 'd', 'T':
		f.take(8)
	case 'S', 'x':
		f.take(f.length(4))
	case 'V':
	case 'A', 'F':
		f.container(kind, depth+1)
		return false
	default:
		f.fail("headers: a value of unknown type 0x%02x", kind)
	}
	return true
}

// container checks the content of an array or a table. Its length is known, so what follows it stays readable.
func (f *fieldReader) container(kind byte, depth int) {
	inside := fieldReader{rest: f.take(f.length(4)), elements: f.elements}
	if f.fault != "" {
		return
	}
	if depth > maxHeaderDepth {
		inside.fail("headers: nested deeper than %d", maxHeaderDepth)
	}
	for len(inside.rest) > 0 && inside.fault == "" {
		if kind == 'F' {
			inside.entry(depth)
		} else if kind := inside.take(1); inside.fault == "" {
			inside.value(kind[0], depth)
		}
	}
	f.elements = inside.elements
	if inside.fault != "" {
		f.fault, f.skippable = inside.fault, true
	}
}

// length reads a length field of this many bytes.
func (f *fieldReader) length(bytes int) int {
	head := f.take(bytes)
	switch {
	case f.fault != "":
		return 0
	case bytes == 1:
		return int(head[0])
	}
	length := binary.BigEndian.Uint32(head)
	if length > math.MaxInt32 {
		f.fail("headers: a length of %d bytes", length)
		return 0
	}
	return int(length)
}

func (f *fieldReader) take(bytes int) []byte {
	if f.fault == "" && bytes > len(f.rest) {
		f.fail("headers: a value ends after its table")
	}
	if f.fault != "" {
		return nil
	}
	taken := f.rest[:bytes]
	f.rest = f.rest[bytes:]
	return taken
}

func (f *fieldReader) fail(format string, arguments ...any) {
	if f.fault == "" {
		f.fault = fmt.Sprintf(format, arguments...)
	}
}
