package store

import (
	"math"
	"strings"
	"time"
	"unicode/utf8"
)

// storable says whether Postgres can hold the texts. What it cannot hold is not in it, so a read need not ask.
func storable(texts ...string) bool {
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
			return false
		}
	}
	return true
}

// cleaned makes text storable that comes from outside and is only for people.
func cleaned(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// storableVersion says whether a version of a definition can be in the database.
func storableVersion(version int) bool { return version >= 0 && version <= math.MaxInt32 }

// nullable is nil for the zero time, which stands for "none" in Go and is null in the database.
func nullable(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// fromNullable is the time in UTC; zero for null.
func fromNullable(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
