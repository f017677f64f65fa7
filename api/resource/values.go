package resource

import (
	"time"

	"github.com/saga-orchestrator/orchestrator/saga/rawjson"
)

// Time is a time of the API: RFC 3339 in UTC, always with microseconds, so that times sort as their texts do.
type Time struct{ time.Time }

// MarshalJSON writes six digits after the second, also where the last of them are zeros.
func (t Time) MarshalJSON() ([]byte, error) { return t.appendTo(make([]byte, 0, 32)), nil }

func (t Time) appendTo(text []byte) []byte {
	return t.UTC().AppendFormat(text, `"2006-01-02T15:04:05.000000Z"`)
}

// OptionalTime returns nil, which JSON shows as null, for the zero time.
func OptionalTime(t time.Time) *Time {
	if t.IsZero() {
		return nil
	}
	return &Time{t}
}

// Text is an optional text: JSON shows the empty text as null, so that the member is always present.
type Text string

// MarshalJSON does not escape the characters that only HTML requires to be escaped.
func (t Text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return rawjson.AppendString(nil, string(t)), nil
}
