package steps

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

type (
	address struct {
		Street string `json:"street"`
	}
	// Promoted is exported, because encoding/json sets no field of an embedded pointer that is not.
	Promoted struct {
		Amount int `json:"amount,omitempty"`
		Count  int
	}
	ordered struct {
		address
		*Promoted
		Name     string `json:"name"`
		Plain    string
		Ignored  string `json:"-"`
		internal string
		Nested   address        `json:"nested"`
		Any      map[string]any `json:"any"`
		At       *time.Time     `json:"at"`
	}
	textual struct{ text string }
	// Recursive embeds itself.
	Recursive struct {
		*Recursive
		Name string `json:"name"`
	}
)

func (t *textual) UnmarshalJSON(content []byte) error {
	t.text = string(content)
	return nil
}

// decodedBoth decodes with encoding/json and with the decoder.
func decodedBoth[T any](t *testing.T, document string) {
	t.Helper()
	var want, got T
	wanted := json.Unmarshal([]byte(document), &want)
	err := decoderOf(reflect.TypeFor[T]()).decode(json.RawMessage(document), &got)
	assert.Equal(t, want, got, document)
	if wanted == nil {
		assert.NoError(t, err, document)
	} else {
		assert.EqualError(t, err, wanted.Error(), document)
	}
}

func TestTheDecoderDecodesAsEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, document := range []string{
		`{}`, `null`, `{"name":"a","street":"b","amount":3,"Count":4,"other":{"name":"z"}}`, `{"NAME":"a","plain":"b","PLAIN":"c","count":1}`,
		`{"name":"a","name":"b"}`, `{"-":"x","Ignored":"y","internal":"z"}`, `{"nested":{"street":"s","other":1},"any":{"a":[1]},"at":"2026-01-02T03:04:05Z"}`,
		`{"name":1}`, `{"at":"never"}`, `{"amount":"x"}`, `[]`, `"x"`, `3`, `{"name":"a"`, ``, `{"\u006eame":"a"}`, `{"ſtreet":"long s"}`, `{"name":null}`,
	} {
		decodedBoth[ordered](t, document)
		decodedBoth[map[string]any](t, document)
		decodedBoth[any](t, document)
		decodedBoth[textual](t, document)
		decodedBoth[Recursive](t, document)
		decodedBoth[struct{}](t, document)
		decodedBoth[*address](t, document)
	}
	_ = ordered{internal: ""}
}

// A member that the type does not read costs no decoding, so its faults go unnoticed only there.
func TestTheDecoderLeavesOtherMembersAlone(t *testing.T) {
	t.Parallel()
	assert.ElementsMatch(t, []string{"street", "amount", "Count", "name", "Plain", "nested", "any", "at"}, decoderOf(reflect.TypeFor[ordered]()).fields)
	assert.True(t, decoderOf(reflect.TypeFor[textual]()).whole)
	assert.True(t, decoderOf(reflect.TypeFor[map[string]any]()).whole)
}

// A handler whose input and output are one type without tags writes a second member, which the next one must read.
func TestTheDecoderPrefersTheMemberWithExactlyTheName(t *testing.T) {
	t.Parallel()
	for _, document := range []string{`{"Count":2,"count":1}`, `{"count":1,"Count":2}`} {
		var got ordered
		assert.NoError(t, decoderOf(reflect.TypeFor[ordered]()).decode(json.RawMessage(document), &got))
		assert.Equal(t, 2, got.Count, document)
	}
}
