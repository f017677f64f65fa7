package saga

import (
	"time"
	"unicode/utf8"
)

// Time is a time as it is shown outside: RFC 3339 in UTC, always with microseconds. All times then have one length, and
// sort as their texts do.
type Time struct{ time.Time }

// MarshalJSON writes as many digits as every store keeps, also where the last of them are zeros.
func (t Time) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(make([]byte, 0, 32), `"2006-01-02T15:04:05.000000Z"`), nil
}

// optional is nil for the zero time, which stands for "none" inside the core and for null outside.
func optional(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	return &Time{t}
}

// Text is a text that there may be none of: null in JSON where it is empty. So every member of what is shown is always
// there.
type Text string

// MarshalJSON writes the text as people put it in: without escapes that only HTML needs.
func (t Text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	if t.plain() { // as nearly all are
		return []byte(`"` + t + `"`), nil
	}
	return EncodeJSON(string(t))
}

// plain says that the text is the same in JSON.
func (t Text) plain() bool {
	for i := range len(t) {
		if c := t[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' || c == 0x7f {
			return false
		}
	}
	return true
}
