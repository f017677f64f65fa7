package store

import (
	"bytes"
	"encoding/json"
)

// texts is saga.EncodeJSON for many values, with one buffer for all of them.
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
