package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
)

const (
	// textPrefix begins a sealed text, before the id of its key.
	textPrefix = "sealed:1:"
	// bytesMagic begins sealed bytes. JSON cannot begin so.
	bytesMagic = "\x00sl1"

	nonceSize = 12
	tagSize   = 16
	// Overhead is by how much sealed bytes are longer than clear ones.
	Overhead = len(bytesMagic) + MaxID + nonceSize + tagSize
)

// ErrSealed means that a value is sealed and cannot be opened.
var ErrSealed = errors.New("the payload cannot be decrypted")

// Error is an ErrSealed that names the key which has sealed the value.
type Error struct {
	Key string // its id
	why string
}

func (e *Error) Error() string { return ErrSealed.Error() + ": " + e.why }

// Unwrap returns ErrSealed.
func (e *Error) Unwrap() error { return ErrSealed }

// aead returns the cipher of a scope.
func (k *Keys) aead(id, scope string) (cipher.AEAD, error) {
	if k == nil || k.masters[id] == nil {
		return nil, &Error{id, fmt.Sprintf("key %q is not in the file of --payload-keys-file", id)}
	}
	key, err := hkdf.Expand(sha256.New, k.masters[id], "saga-orchestrator payload\x00"+scope, KeySize)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// sealed returns nonce, ciphertext and tag. It panics only if the standard library breaks its promises.
func (k *Keys) sealed(scope, field string, plain []byte) []byte {
	aead, err := k.aead(k.current, scope)
	if err != nil {
		panic(err) // the current key exists, and its size is right
	}
	nonce := make([]byte, nonceSize, nonceSize+len(plain)+tagSize)
	_, _ = rand.Read(nonce) // never fails
	return aead.Seal(nonce, nonce, plain, additional(scope, field))
}

func (k *Keys) opened(id, scope, field string, sealed []byte) ([]byte, error) {
	aead, err := k.aead(id, scope)
	if err != nil {
		return nil, err
	}
	if len(sealed) < nonceSize+tagSize {
		return nil, fmt.Errorf("%w: it is cut", ErrSealed)
	}
	plain, err := aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], additional(scope, field))
	if err != nil {
		return nil, &Error{id, "key " + id + " is another one, or the row was changed"}
	}
	if plain == nil {
		plain = []byte{}
	}
	return plain, nil
}

// additional binds a value to its place: it cannot be moved to another row or column.
func additional(scope, field string) []byte { return []byte(scope + "\x00" + field) }

// Text returns a text as sealed for a place, and the text itself if values stay clear.
func (k *Keys) Text(scope, field, plain string) string {
	if !k.On() {
		return plain
	}
	return textPrefix + k.current + ":" + base64.RawStdEncoding.EncodeToString(k.sealed(scope, field, []byte(plain)))
}

// OpenText returns the text that Text sealed for a place. A text that is not sealed is returned as it is.
func (k *Keys) OpenText(scope, field, stored string) (string, error) {
	rest, is := strings.CutPrefix(stored, textPrefix)
	if !is {
		return stored, nil
	}
	id, encoded, _ := strings.Cut(rest, ":")
	sealed, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil {
		return "", fmt.Errorf("%w: it is damaged", ErrSealed)
	}
	plain, err := k.opened(id, scope, field, sealed)
	return string(plain), err
}

// JSON is Text for a JSON document that is not a string. A sealed one is a JSON string.
func (k *Keys) JSON(scope, field string, plain []byte) []byte {
	if !k.On() || plain == nil {
		return plain
	}
	return []byte(`"` + k.Text(scope, field, string(plain)) + `"`)
}

// OpenJSON returns the document that JSON sealed for a place. Only a sealed document is a string.
func (k *Keys) OpenJSON(scope, field string, stored []byte) ([]byte, error) {
	trimmed := bytes.TrimSpace(stored)
	if !SealedJSON(trimmed) {
		return stored, nil
	}
	plain, err := k.OpenText(scope, field, string(trimmed[1:len(trimmed)-1]))
	if err != nil {
		return nil, err
	}
	return []byte(plain), nil
}

// SealedJSON reports whether a document is sealed.
func SealedJSON(stored []byte) bool {
	stored = bytes.TrimSpace(stored)
	return bytes.HasPrefix(stored, []byte(`"`+textPrefix)) && stored[len(stored)-1] == '"'
}

// Bytes returns bytes as sealed for a place, and themselves if values stay clear.
func (k *Keys) Bytes(scope, field string, plain []byte) []byte {
	if !k.On() || plain == nil {
		return plain
	}
	return slices.Concat(Mark(k.current), k.sealed(scope, field, plain))
}

// OpenBytes returns the bytes that Bytes sealed for a place. Bytes that are not sealed are returned as they are.
func (k *Keys) OpenBytes(scope, field string, stored []byte) ([]byte, error) {
	if len(stored) < Overhead || !bytes.HasPrefix(stored, []byte(bytesMagic)) {
		return stored, nil
	}
	id := strings.TrimRight(string(stored[len(bytesMagic):len(bytesMagic)+MaxID]), "\x00")
	return k.opened(id, scope, field, stored[len(bytesMagic)+MaxID:])
}

// BytesMark returns the first bytes of values that the current key has sealed; nil if values stay clear.
func (k *Keys) BytesMark() []byte {
	if !k.On() {
		return nil
	}
	return Mark(k.current)
}

// Mark returns how bytes begin that the key with the id has sealed.
func Mark(id string) []byte {
	head := make([]byte, len(bytesMagic)+MaxID)
	copy(head, bytesMagic)
	copy(head[len(bytesMagic):], id)
	return head
}

// TextMark returns how texts begin that the key with the id has sealed; "" for any key.
func TextMark(id string) string {
	if id == "" {
		return textPrefix
	}
	return textPrefix + id + ":"
}

// AnyBytesMark returns the first bytes of all sealed values.
func AnyBytesMark() []byte { return []byte(bytesMagic) }

// verified is what a verifier seals.
const verified = "saga-orchestrator"

// Verifier returns a value from which Verify sees whether a key of that id is the same.
func (k *Keys) Verifier() []byte { return k.Bytes("verifier", "key", []byte(verified)) }

// Verify returns ErrSealed if a verifier was made by a key that is not here.
func (k *Keys) Verify(verifier []byte) error {
	plain, err := k.OpenBytes("verifier", "key", verifier)
	if err == nil && string(plain) != verified {
		err = fmt.Errorf("%w: the verifier is damaged", ErrSealed)
	}
	return err
}

// IsVerifier reports whether bytes have the form of a verifier of a key with the id. Others were not made here.
func IsVerifier(id string, stored []byte) bool {
	return validID(id) && len(stored) == Overhead+len(verified) && bytes.HasPrefix(stored, Mark(id))
}
