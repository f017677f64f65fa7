package store

import (
	"bytes"
	"encoding/json"
)

// texts writes many values as JSON, one after the other. It is json.Marshal without the escapes that HTML needs: what a
// user put in comes out again.
type texts struct {
	buffer  bytes.Buffer
	encoder *json.Encoder
}

func (t *texts) encode(value any) (string, error) {
	if t.encoder == nil {
		t.encoder = json.NewEncoder(&t.buffer)
		t.encoder.SetEscapeHTML(false)
	}
	t.buffer.Reset()
	if err := t.encoder.Encode(value); err != nil {
		return "", err
	}
	return string(bytes.TrimSuffix(t.buffer.Bytes(), []byte("\n"))), nil
}
