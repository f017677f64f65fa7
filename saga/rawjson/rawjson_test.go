package rawjson_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/saga/rawjson"
)

// documents are valid ones and invalid ones, with faults at every place of the grammar.
func documents() []string {
	long := strings.Repeat("x", 100)
	return []string{
		``, ` `, `{}`, ` { } `, `[]`, `[ 1 , 2 ]`, `[1,]`, `[,1]`, `[1 2]`, `[`, `]`, `{`, `}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{a:1}`, `{"a":1 "b":2}`,
		`{"a":1,"b":[{"c":null}]}`, `{"a":{"b":{"c":[[[]]]}}}`, "{\"a\"\n:\t1\r}", "{\"a\":\v1}", `{"a":1}x`, `{"a":1}{`, `1 1`,
		`0`, `-0`, `00`, `01`, `-`, `-1`, `+1`, `1.`, `.1`, `1.5`, `1e`, `1e+`, `1e5`, `1E-5`, `1e5.5`, `0x1`, `1.5e300`, `--1`, `NaN`, `Infinity`,
		`true`, `false`, `null`, `tru`, `truex`, `nul`, `True`,
		`""`, `"a`, `"` + long + `"`, `"` + long, "\"" + long + "\n\"", `"` + long + `\"` + long + `"`, `"\\"`, `"\`, `"\"`, `"\x"`, `"\u12"`, `"\u12G4"`, `"\u1234"`, `"\uD800"`,
		"\"\x00\"", "\"\x1f\"", "\"\x20\"", "\"\x7f\"", "\"\xff\xfe\"", "\"\u2028\"", `"é€😀` + long + `"`, "\xef\xbb\xbf{}", `{"\u0061":1,"a":2}`,
		"{\"\xff\":1}", `{"a":1,"a":2}`, strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001),
		strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000), strings.Repeat(`{"a":`, 10_001) + "1" + strings.Repeat("}", 10_001),
	}
}

// same compares everything with encoding/json.
func same(t *testing.T, document []byte) {
	t.Helper()
	valid := json.Valid(document)
	require.Equal(t, valid, rawjson.Valid(document), "%q", document)
	var want map[string]json.RawMessage
	isObject := json.Unmarshal(document, &want) == nil && want != nil
	members, ok := rawjson.Members(document)
	require.Equal(t, isObject, ok, "%q", document)
	if ok {
		got := make(map[string]json.RawMessage)
		for _, member := range members {
			got[member.Name] = member.Value
		}
		require.Equal(t, want, got, "%q", document)
	}
	if valid {
		var compact bytes.Buffer
		require.NoError(t, json.Compact(&compact, document))
		require.Equal(t, "before "+compact.String(), string(rawjson.AppendCompact([]byte("before "), document)))
	}
}

func TestTheGrammarIsThatOfEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, document := range documents() {
		same(t, []byte(document))
		for _, around := range []string{`{"key":%}`, `[%]`, ` { "a" : "b" , "key" : % } `} {
			same(t, []byte(strings.ReplaceAll(around, "%", document)))
		}
	}
}

func FuzzLikeEncodingJSON(f *testing.F) {
	for _, document := range documents() {
		if len(document) < 1000 {
			f.Add([]byte(document))
		}
	}
	f.Fuzz(func(t *testing.T, document []byte) { same(t, document) })
}

// A word holds eight bytes: each kind of byte is found at each place of it, beside each other byte.
func TestTheNextSpecialByteIsFoundAtEveryPlace(t *testing.T) {
	t.Parallel()
	for place := range 24 {
		for value := range 256 {
			for _, filler := range []byte{'x', '!', '#', '[', ']', ' ', 0x7f, 0x80, 0xff} {
				text := bytes.Repeat([]byte{filler}, 24)
				text[place] = byte(value)
				want := bytes.IndexFunc(text, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' })
				if want < 0 {
					want = len(text)
				}
				if got := rawjson.NextSpecial(text, 0); got != want {
					t.Fatalf("byte %#x at %d among %#x: found at %d", value, place, filler, got)
				}
			}
		}
	}
}

func TestAMemberEndsWhereItsValueEnds(t *testing.T) {
	t.Parallel()
	members, ok := rawjson.Members([]byte(` {"a" : [1, 2] , "b":"}"}`))
	require.True(t, ok)
	assert.Equal(t, []rawjson.Member{{"a", json.RawMessage(`[1, 2]`)}, {"b", json.RawMessage(`"}"`)}}, members)
	grown := append(members[0].Value, '!')
	assert.NotContains(t, string(members[1].Value), "!", "values do not share room: %s", grown)
}

func BenchmarkMembers(b *testing.B) {
	document := []byte(`{"payload":"` + strings.Repeat("x", 10_000) + `","amount":12}`)
	b.SetBytes(int64(len(document)))
	for b.Loop() {
		if _, ok := rawjson.Members(document); !ok {
			b.Fatal("not an object")
		}
	}
}
