package saga_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga"
)

func nested(depth int) string {
	return strings.Repeat("[", depth) + strings.Repeat("]", depth)
}

func manyKeys(count int) string {
	var text strings.Builder
	for i := range count {
		text.WriteString(`,"k` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + json.Number(itoa(i)).String() + `":1`)
	}
	return "{" + strings.TrimPrefix(text.String(), ",") + "}"
}

func itoa(i int) string {
	text, _ := json.Marshal(i) // a number never fails to marshal
	return string(text)
}

// badDocuments must never be accepted, whether from REST or from a worker.
func badDocuments() map[string]string {
	return map[string]string{
		"empty":                        "",
		"only white space":             " \t\r\n",
		"a byte order mark":            "\ufeff{}",
		"truncated object":             `{"a":1`,
		"truncated string":             `{"a":"b`,
		"truncated escape":             `"\u00`,
		"truncated literal":            `tru`,
		"a second document":            `{} {}`,
		"a form feed after it":         "{}\f",
		"a no-break space after it":    "{}\u00a0",
		"only a form feed":             "\f",
		"rubbish after it":             `{}x`,
		"a closing bracket more":       `{}}`,
		"a trailing comma":             `{"a":1,}`,
		"a comment":                    `{"a":1} // one`,
		"single quotes":                `{'a':1}`,
		"no quotes":                    `{a:1}`,
		"duplicate members":            `{"a":1,"a":2}`,
		"duplicates after escapes":     `{"a":1,"\u0061":2}`,
		"duplicates further down":      `[{"x":{"a":1,"b":2,"a":3}}]`,
		"depth 33":                     nested(33),
		"depth 10,001":                 nested(10_001),
		"depth 100,000, unclosed":      strings.Repeat("[", 100_000),
		"objects of depth 33":          strings.Repeat(`{"a":`, 33) + "1" + strings.Repeat("}", 33),
		"a key over the limit":         `{"` + strings.Repeat("k", 1<<20+1) + `":1}`,
		"a string over the limit":      `"` + strings.Repeat("s", 1<<20+1) + `"`,
		"100,000 keys":                 manyKeys(100_000),
		"an array of 1,000,000":        "[" + strings.Repeat("1,", 999_999) + "1]",
		"1e400":                        `1e400`,
		"-1e400":                       `{"a":-1e400}`,
		"1e-400":                       `1e-400`,
		"1e131072":                     `1e131072`,
		"an endless exponent":          `1e` + strings.Repeat("9", 1000),
		"over any double":              `10e308`,
		"far over it, digit by digit":  strings.Repeat("9", 64) + `e300`,
		"100,000 digits":               strings.Repeat("1", 100_000),
		"1,001 digits":                 strings.Repeat("1", 1001),
		"1,001 decimals":               `0.` + strings.Repeat("1", 1000),
		"an integer over any double":   "2" + strings.Repeat("0", 308),
		"1,000 digits over any double": strings.Repeat("1", 1000),
		"NaN":                          `NaN`,
		"infinity":                     `Infinity`,
		"a leading zero":               `01`,
		"a leading plus":               `+1`,
		"hexadecimal":                  `0x10`,
		"no digit after the point":     `1.`,
		"invalid UTF-8":                "\"\xff\"",
		"overlong UTF-8":               "\"\xc0\x80\"",
		"a surrogate in UTF-8":         "\"\xed\xa0\x80\"",
		"invalid UTF-8 in a key":       "{\"\xff\":1}",
		"NUL in a value":               `"\u0000"`,
		"NUL in a key":                 `{"\u0000":1}`,
		"a raw NUL":                    "\"\x00\"",
		"a raw line end":               "\"\n\"",
		"a lone high surrogate":        `"\ud800"`,
		"a lone low surrogate":         `"\udc00"`,
		"a high one before a letter":   `"\ud800x"`,
		"a high one before another":    `"\ud800\ud800"`,
		"a high one before an escape":  `"\ud800\n"`,
		"a high one before a letter e": `"\ud800\u0041"`,
		"swapped surrogates":           `"\udc00\ud800"`,
		"a surrogate in a key":         `{"\ud800":1}`,
		"an unknown escape":            `"\x41"`,
		"a short escape":               `"\u12"`,
	}
}

func TestBadDocumentsAreRefused(t *testing.T) {
	t.Parallel()
	for name, text := range badDocuments() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := saga.CheckJSON([]byte(text), saga.DefaultJSONLimits())
			require.Error(t, err)
			require.Less(t, len(err.Error()), 100, "an error never repeats the content")
			require.Regexp(t, `at byte \d|before byte \d|after .* byte \d|^empty`, err.Error(), "an error names the place")
			require.True(t, utf8.ValidString(err.Error()))
		})
	}
}

func TestGoodDocumentsAreAccepted(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"every kind of value":      ` { "a" : [ null , true , false , "s" , 1 , -1.5e+3 ] , "b" : { } , "c" : [ ] } `,
		"scalars":                  `1`,
		"minus zero":               `-0`,
		"beyond 2^53":              `9007199254740993`,
		"beyond 2^63":              `9223372036854775808`,
		"1e308":                    `1e308`,
		"the largest double":       `1.7976931348623157e308`,
		"1e-308":                   `1E-308`,
		"an integer of 309 digits": "1" + strings.Repeat("0", 308),
		"1,000 digits":             `0.` + strings.Repeat("1", 999),
		"depth 32":                 nested(32),
		"10,000 members":           manyKeys(10_000),
		"a string at the limit":    `"` + strings.Repeat("s", 1<<20) + `"`,
		"keys that differ in case": `{"a":1,"A":2}`,
		"the same key elsewhere":   `[{"a":{"a":1}},{"a":2}]`,
		"a surrogate pair":         `"\ud83d\ude00"`,
		"upper-case hex":           `"\uD83D\uDE00"`,
		"pairs in a row":           `"\ud83d\ude00\ud83d\ude00x"`,
		"an escaped backslash":     `"\\ud800"`,
		"every escape":             `"\"\\\/\b\f\n\r\t\u0041"`,
		"bidi and combining text":  `"\u202e e\u0301 ` + "\u202e" + `"`,
		"the replacement rune":     `"\ufffd` + "\ufffd" + `"`,
		"an empty key":             `{"":1}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.NoError(t, saga.CheckJSON([]byte(text), saga.DefaultJSONLimits()))
		})
	}
}

func TestCheckJSONAppliesTheGivenLimits(t *testing.T) {
	t.Parallel()
	tight := saga.JSONLimits{Depth: 2, Members: 3, StringBytes: 4, NumberDigits: 5, Exponent: 6}
	for _, text := range []string{`[[1,2]]`, `{"abcd":"abcd"}`, `12345`, `1e6`, `1e-6`, `[1,2,3]`, `{"a":[1,2]}`} {
		require.NoError(t, saga.CheckJSON([]byte(text), tight), text)
	}
	for _, text := range []string{`[[[]]]`, `{"abcde":1}`, `"abcde"`, `123456`, `1e7`, `1e-7`, `[1,2,3,4]`, `{"a":[1,2,3]}`} {
		require.Error(t, saga.CheckJSON([]byte(text), tight), text)
	}
	for _, depth := range []int{33, 10_001, 100_000} {
		require.ErrorContains(t, saga.CheckJSON([]byte(nested(depth)), saga.DefaultJSONLimits()), "nested deeper than 32")
	}
}

// FuzzCheckJSON checks that other readers understand an accepted document, and that it survives being rewritten.
func FuzzCheckJSON(f *testing.F) {
	for _, text := range badDocuments() {
		if len(text) < 4096 {
			f.Add([]byte(text))
		}
	}
	f.Add([]byte(`{"a":[null,true,1.5e3,"\ud83d\ude00"],"b":{}}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		given := bytes.Clone(document)
		err := saga.CheckJSON(document, saga.DefaultJSONLimits())
		require.Equal(t, given, document)
		if err != nil {
			return
		}
		var value any
		require.NoError(t, json.Unmarshal(document, &value))
		written, err := json.Marshal(value)
		require.NoError(t, err)
		require.False(t, holdsNUL(value), "%q", document)
		var again any
		require.NoError(t, json.Unmarshal(written, &again))
		require.Equal(t, value, again)
		require.NoError(t, saga.CheckJSON(compact(t, document), saga.DefaultJSONLimits()))
	})
}

// holdsNUL reports whether a value holds a NUL character, which Postgres cannot store.
func holdsNUL(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.ContainsRune(v, 0)
	case []any:
		return slices.ContainsFunc(v, holdsNUL)
	case map[string]any:
		for name, member := range v {
			if holdsNUL(name) || holdsNUL(member) {
				return true
			}
		}
	}
	return false
}

func compact(t *testing.T, document []byte) []byte {
	t.Helper()
	var text bytes.Buffer
	require.NoError(t, json.Compact(&text, document))
	return text.Bytes()
}
