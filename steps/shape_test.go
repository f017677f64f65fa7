package steps

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type (
	line struct {
		Item  string
		Price int `json:"price"`
	}
	// Base and Other are embedded side by side: Both is a field of neither.
	Base struct {
		Both   string
		Shadow string `json:"hidden"`
		ID     string
	}
	Other struct{ Both string }
	order struct {
		Base
		*Other
		Hidden   string `json:"hidden"`
		Lines    []line
		First    *line
		ByName   map[string]line
		Pair     [2]**line
		Parent   *order
		Any      any
		Raw      json.RawMessage
		Own      textual
		When     time.Time
		Odd      string `json:"a\"b"` //nolint:staticcheck // encoding/json does not take this name
		Tree     tree
		Quoted   int `json:"Quoted,string"`
		private  string
		Promoted `json:"promoted"`
	}
	tree   []branch // a type that contains itself; as []tree it would overflow the stack of gosec
	branch struct{ Tree tree }
)

// exactly decodes a document with the exact decoder.
func exactly[T any](t *testing.T, document string) (got T) {
	t.Helper()
	require.NoError(t, exactDecoderOf(reflect.TypeFor[T]()).decode(json.RawMessage(document), &got), document)
	return got
}

func TestOnlyTheMemberWithExactlyTheNameIsRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ document, same string }{
		{`{"ID":"a","id":"b","Id":"c"}`, `{"ID":"a"}`},
		{`{"id":"b"}`, `{}`},
		{`{"hidden":"a","Hidden":"b","BOTH":"c","Both":"d"}`, `{"hidden":"a"}`},
		{`{"Lines":[{"item":"x","price":1},{"Item":"y","PRICE":2},{}],"lines":[]}`, `{"Lines":[{"price":1},{"Item":"y"},{}]}`},
		{`{"First":{"item":"x","other":[1]},"first":3}`, `{"First":{}}`},
		{`{"ByName":{"a":{"item":"x"},"A":{"Item":"y"}}}`, `{"ByName":{"a":{},"A":{"Item":"y"}}}`},
		{`{"Pair":[{"item":"x"},{"Item":"y"}]}`, `{"Pair":[{},{"Item":"y"}]}`},
		{`{"Parent":{"Parent":{"id":"x","ID":"y"},"parent":1}}`, `{"Parent":{"Parent":{"ID":"y"}}}`},
		{`{"Any":{"id":1,"ID":2},"Raw":{"item":1},"Own":{"Text":1}}`, `{"Any":{"id":1,"ID":2},"Raw":{"item":1},"Own":{"Text":1}}`},
		{`{"When":"2026-01-02T03:04:05Z","Odd":"x","odd":"y","Tree":[{"tree":[{}],"Tree":[{"TREE":[]}]}],"Quoted":"3","private":"p"}`, `{"When":"2026-01-02T03:04:05Z","Odd":"x","Tree":[{"Tree":[{}]}],"Quoted":"3"}`},
		{`{"promoted":{"Amount":1,"amount":2,"count":3},"Amount":4}`, `{"promoted":{"amount":2}}`},
		{` { "First" : { "item" : "x" , "price" : 1 } } `, `{"First":{"price":1}}`},
		{`{"Lines":[{"\u0069tem":"x","\u0049tem":"y"}]}`, `{"Lines":[{"Item":"y"}]}`},
		{`{"Lines":null,"First":null,"ByName":null}`, `{}`},
		{`{}`, `{}`},
		{`null`, `{}`},
	} {
		var want order
		require.NoError(t, json.Unmarshal([]byte(test.same), &want))
		assert.Equal(t, want, exactly[order](t, test.document), test.document)
	}
	_ = order{private: ""}
	assert.Equal(t, map[string]line{"A": {Price: 1}}, exactly[map[string]line](t, `{"A":{"item":"x","price":1}}`))
	assert.Equal(t, map[string]any{"a": 1.0, "A": 2.0}, exactly[map[string]any](t, `{"a":1,"A":2}`))
	assert.Equal(t, "{}", exactly[textual](t, `{}`).text)
	type low struct {
		ID int `json:"id"`
	}
	type both struct {
		ID  low
		Low low `json:"low"`
	}
	assert.Equal(t, both{ID: low{1}}, exactly[both](t, `{"ID":{"id":1,"ID":2},"low":{"ID":3}}`), "names that are exact elsewhere in the type")
}

func TestTheExactDecoderReportsWhatEncodingJSONReports(t *testing.T) {
	t.Parallel()
	decoder := exactDecoderOf(reflect.TypeFor[order]())
	for _, document := range []string{`[]`, `3`, `{`, ``, `{"ID":1}`, `{"Lines":{"item":1}}`, `{"First":[1]}`, `{"ByName":{"a":1}}`, `{"When":"never"}`, `{"Pair":"x"}`} {
		assert.Error(t, decoder.decode(json.RawMessage(document), new(order)), document)
	}
	assert.NoError(t, decoder.decode(json.RawMessage(`{"id":1,"other":{}}`), new(order)), "members without a field may be anything")
}

// A document with exact names, which is nearly every one, is not copied.
func TestADocumentWithExactNamesIsNotCopied(t *testing.T) {
	t.Parallel()
	document := json.RawMessage(`{"First":{"Item":"x","other":1},"Lines":[{"Item":"y"}],"unknown":2}`)
	assert.True(t, same(document, exactDecoderOf(reflect.TypeFor[order]()).shape.exact(document)))
}

func TestTheFieldsAreThoseOfEncodingJSON(t *testing.T) {
	t.Parallel()
	content, err := json.Marshal(order{Other: &Other{}, Odd: "x"})
	require.NoError(t, err)
	var want map[string]any
	require.NoError(t, json.Unmarshal(content, &want))
	got := make(map[string]any)
	for _, f := range fieldsOf(reflect.TypeFor[order]()) {
		got[f.name] = want[f.name]
	}
	assert.Equal(t, want, got)
}

func TestWhatNeverEncodesIsFound(t *testing.T) {
	t.Parallel()
	type inner struct {
		Done <-chan int `json:"a/b"`
	}
	for want, value := range map[string]any{
		"member /C has the type chan int": struct{ C chan int }{},
		"member /f has the type func()": struct {
			F func() `json:"f,omitempty"`
		}{},
		"member /X has the type complex128":                  struct{ X complex128 }{},
		"member /List/*/a~1b has the type <-chan int":        struct{ List []*inner }{},
		"member /* has the type complex64":                   map[string]complex64{},
		"member /M is a map with keys of the type struct {}": struct{ M map[struct{}]int }{},
		"member /M/* is a map with keys of the type float64": struct{ M map[string]map[float64]int }{},
		"member /Free/F has the type func()":                 struct{ Free, Both struct{ F func() } }{},
		"": struct {
			Skipped  chan int `json:"-"`
			Empty    func()   `json:",omitzero"`
			hidden   chan int
			Any      any
			When     map[time.Time]int
			Self     *order
			Location *time.Location
			Number   map[uint8]json.Number
		}{},
	} {
		assert.Equal(t, want, unencodable(reflect.TypeOf(value), "", make(map[reflect.Type]bool)))
	}
}

type nestedData struct {
	ID    string `json:"id"`
	Lines []struct {
		Item  string `json:"item"`
		Price int    `json:"price"`
	} `json:"lines"`
}

// BenchmarkDecode compares the decoders on data with exact names.
func BenchmarkDecode(b *testing.B) {
	document := json.RawMessage(`{"id":"42","lines":[` + strings.Repeat(`{"item":"a thing of some length","price":12},`, 50) + `{}],"other":"` + strings.Repeat("x", 2000) + `"}`)
	for name, decoder := range map[string]interface {
		decode(document json.RawMessage, into any) error
	}{"exact": exactDecoderOf(reflect.TypeFor[nestedData]()), "as encoding/json": decoderOf(reflect.TypeFor[nestedData]())} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(document)))
			for b.Loop() {
				if err := decoder.decode(document, new(nestedData)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
