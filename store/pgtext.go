package store

import (
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// storable reports whether Postgres can hold the texts. It holds no others, so a read for them can be skipped.
func storable(texts ...string) bool {
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return false
		}
	}
	return true
}

// cleaned makes text from outside storable, for text that only operators read.
func cleaned(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// storableVersion reports whether the database can hold a version of a definition.
func storableVersion(version int) bool { return version >= 0 && version <= math.MaxInt32 }

// nullable returns nil for the zero time, which is null in the database.
func nullable(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// fromNullable returns the time in UTC, and the zero time for null.
func fromNullable(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// sound returns an SQL condition: Postgres' functions can read the JSON, an SQL expression. They fail on a NUL and on half of a
// surrogate pair, which its type json stores all the same. Escaped backslashes are taken out first: what follows them is text.
func sound(document string) string {
	const half = `\\u0000|\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]`
	return `(strpos(` + document + `::text, '\u') = 0 or replace(` + document + `::text, '\\', '') !~ '` + half + `')`
}
