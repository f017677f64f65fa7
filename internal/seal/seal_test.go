package seal_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/saga-orchestrator/orchestrator/internal/seal"
)

func line(id string, fill byte) string {
	return id + ":" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{fill}, seal.KeySize))
}

func keys(t *testing.T, lines ...string) *seal.Keys {
	t.Helper()
	k, err := seal.Parse([]byte("# keys\n\n" + strings.Join(lines, "\n") + "\n"))
	require.NoError(t, err)
	return k
}

func TestAValueIsReadByTheKeyThatItNames(t *testing.T) {
	t.Parallel()
	old, both := keys(t, line("k1", 1)), keys(t, line("k2", 2), line("k1", 1))
	for _, k := range []*seal.Keys{old, both} {
		text, document, content := k.Text("saga", "error", "card 4111"), k.JSON("saga", "data", []byte(`{"card":4111}`)), k.Bytes("saga", "body", []byte("4111"))
		for _, sealed := range []string{text, string(document), string(content)} {
			assert.NotContains(t, sealed, "4111")
			assert.Contains(t, sealed, k.Current())
		}
		assert.Len(t, content, seal.Overhead+4)
		got, err := both.OpenText("saga", "error", text)
		require.NoError(t, err)
		assert.Equal(t, "card 4111", got)
		opened, err := both.OpenJSON("saga", "data", document)
		require.NoError(t, err)
		assert.Equal(t, `{"card":4111}`, string(opened))
		opened, err = both.OpenBytes("saga", "body", content)
		require.NoError(t, err)
		assert.Equal(t, "4111", string(opened))
	}
	first := old.Text("s", "f", "x")
	assert.NotEqual(t, first, old.Text("s", "f", "x"), "each has a nonce of its own")
}

func TestAValueHoldsInItsPlaceOnly(t *testing.T) {
	t.Parallel()
	k := keys(t, line("k1", 1))
	for _, place := range [][2]string{{"saga-2", "data"}, {"saga-1", "output"}, {"saga-1\x00da", "ta"}} {
		_, err := k.OpenJSON(place[0], place[1], k.JSON("saga-1", "data", []byte(`{}`)))
		require.ErrorIs(t, err, seal.ErrSealed)
	}
}

func TestWithoutTheKeyAValueIsNotOpened(t *testing.T) {
	t.Parallel()
	sealed := keys(t, line("k1", 1)).Bytes("s", "f", []byte("x"))
	text := keys(t, line("k1", 1)).Text("s", "f", "x")
	for name, k := range map[string]*seal.Keys{"no keys": nil, "another key": keys(t, line("k2", 1)), "another key of the id": keys(t, line("k1", 2))} {
		_, err := k.OpenBytes("s", "f", sealed)
		require.ErrorIs(t, err, seal.ErrSealed, name)
		require.ErrorContains(t, err, "k1", name)
		_, err = k.OpenText("s", "f", text)
		require.ErrorIs(t, err, seal.ErrSealed, name)
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	_, err := keys(t, line("k1", 1)).OpenBytes("s", "f", changed)
	require.ErrorIs(t, err, seal.ErrSealed)
	_, err = keys(t, line("k1", 1)).OpenText("s", "f", text[:20])
	require.ErrorIs(t, err, seal.ErrSealed)
}

func TestClearValuesStayReadable(t *testing.T) {
	t.Parallel()
	for _, k := range []*seal.Keys{nil, keys(t, "none", line("k1", 1)), keys(t, line("k1", 1))} {
		opened, err := k.OpenJSON("s", "f", []byte(` {"a":1}`))
		require.NoError(t, err)
		assert.Equal(t, ` {"a":1}`, string(opened))
		opened, err = k.OpenBytes("s", "f", []byte("\x00sl1"))
		require.NoError(t, err)
		assert.Equal(t, "\x00sl1", string(opened))
	}
	none := keys(t, "none", line("k1", 1))
	assert.Equal(t, seal.Clear, none.Current())
	assert.Equal(t, "x", none.Text("s", "f", "x"))
	opened, err := none.OpenText("s", "f", keys(t, line("k1", 1)).Text("s", "f", "x"))
	require.NoError(t, err)
	assert.Equal(t, "x", opened)
	assert.Nil(t, keys(t, line("k1", 1)).JSON("s", "f", nil), "no output stays no output")
}

func TestAFileOfKeysIsChecked(t *testing.T) {
	t.Parallel()
	secret := base64.StdEncoding.EncodeToString([]byte("a key that is much too short"))
	for text, want := range map[string]string{
		"":                                   "no key",
		"none\n":                             "no key",
		"k1:" + secret:                       "line 1: key k1: want the base64 of 32 bytes",
		"k1":                                 "line 1: key k1",
		"K1:" + secret:                       "line 1: id",
		"none:" + secret:                     "line 1: id",
		line("k1", 1) + "\nnone":             "line 2: id",
		line("k1", 1) + "\n" + line("k1", 2): "line 2: key k1: it is there twice",
		line(strings.Repeat("k", 17), 1):     "line 1: id",
	} {
		_, err := seal.Parse([]byte(text))
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), secret)
	}
	var many []string
	for i := range seal.MaxKeys + 1 {
		many = append(many, line("k"+string(rune('a'+i)), byte(i)))
	}
	_, err := seal.Parse([]byte(strings.Join(many, "\n")))
	require.ErrorContains(t, err, "more than 16 keys")
}

func TestAVerifierKnowsItsKey(t *testing.T) {
	t.Parallel()
	verifier := keys(t, line("k1", 1)).Verifier()
	require.NoError(t, keys(t, line("k2", 2), line("k1", 1)).Verify(verifier))
	require.ErrorIs(t, keys(t, line("k1", 2)).Verify(verifier), seal.ErrSealed)
	require.ErrorIs(t, keys(t, line("k2", 2)).Verify(verifier), seal.ErrSealed)
	require.ErrorIs(t, (*seal.Keys)(nil).Verify(verifier), seal.ErrSealed)
}
